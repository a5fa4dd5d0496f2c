use super::*;

fn frame(level: Option<Level>, message: &str) -> Frame {
    Frame { cpu: 0, tsc: 0, level, message: message.into(), fields: Vec::new(), location: None }
}

#[test]
fn a_record_is_its_bytes() {
    assert_eq!(frame(None, "record [1, 255, 0]").record(), Some(vec![1, 255, 0]));
    assert_eq!(frame(None, "record []").record(), Some(vec![]));
}

#[test]
fn what_looks_like_a_record_is_none() {
    assert_eq!(frame(Some(Level::Info), "record [1]").record(), None);
    assert_eq!(frame(None, "record [256]").record(), None);
    assert_eq!(frame(None, "recorded").record(), None);
}

#[test]
fn an_elf_without_format_strings_has_no_dictionary() {
    let own = std::fs::read(std::env::current_exe().expect("this test")).expect("readable");
    assert!(Dictionary::read(&own).expect("an ELF").is_none());
}
