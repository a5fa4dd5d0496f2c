use super::*;

#[test]
fn files_are_where_the_table_says() {
    let files = [("layer".to_owned(), vec![1; 5]), ("demo".to_owned(), vec![2; 16])];
    let image = pack(&files).expect("two short names");
    assert_eq!(&image[..8], MAGIC);
    assert_eq!(number(&image, 8, 8).unwrap(), 2);
    for (index, (name, file)) in files.iter().enumerate() {
        let entry = HEADER + index * ENTRY;
        assert_eq!(&image[entry..entry + name.len()], name.as_bytes());
        assert!(image[entry + name.len()..entry + NAME].iter().all(|byte| *byte == 0));
        let (offset, length) = (
            number(&image, entry + NAME, 8).unwrap(),
            number(&image, entry + NAME + 8, 8).unwrap(),
        );
        assert_eq!(offset % 8, 0);
        assert_eq!(&image[offset..offset + length], &file[..]);
    }
}

#[test]
fn names_that_do_not_fit_are_refused() {
    assert!(pack(&[("n".repeat(NAME), Vec::new())]).is_ok());
    assert!(pack(&[("n".repeat(NAME + 1), Vec::new())]).is_err());
    assert!(pack(&[(String::new(), Vec::new())]).is_err());
}

#[test]
fn an_elf_keeps_what_is_loaded_and_no_more() {
    let mut elf = vec![0u8; 64 + 56 + 100 + 1000];
    elf[..5].copy_from_slice(b"\x7fELF\x02");
    elf[32] = 64;
    elf[40] = 0xff;
    elf[54] = 56;
    elf[56] = 1;
    elf[60] = 7;
    elf[64 + 8] = 120;
    elf[64 + 32] = 100;
    let kept = loadable(&elf).expect("a well-formed file");
    assert_eq!(kept.len(), 220);
    assert_eq!((kept[40], kept[60]), (0, 0), "no section table");
    elf[64 + 33] = 0xff;
    assert!(loadable(&elf).is_err(), "a segment beyond the end");
    assert!(loadable(b"\x7fELF\x02").is_err());
    assert!(loadable(b"#!/bin/sh").is_err());
}
