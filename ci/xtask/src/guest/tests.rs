use super::*;

fn is_version(text: &str) -> bool {
    text.split('.').count() == 3 && text.starts_with(|first: char| first.is_ascii_digit())
}

#[test]
fn what_is_built_here_says_by_what_and_from_what() {
    let key = own_source().expect("a compiler");
    assert!(is_version(key.compiler.trim_start_matches("rustc ")), "{}", key.compiler);
    assert!(is_version(&key.llvm), "{}", key.llvm);
    assert_eq!(key.dirty.is_none(), key.git == UNKNOWN);
    assert!(!key.git.is_empty());
}

#[test]
fn of_an_image_from_elsewhere_nothing_is_made_up() {
    let key = foreign_source(b"no ELF");
    assert_eq!((key.compiler.as_str(), key.llvm.as_str()), (UNKNOWN, UNKNOWN));
    assert_eq!((key.revision().as_str(), key.dirty), (UNKNOWN, None));
    let this_test = std::fs::read(std::env::current_exe().expect("this test")).expect("readable");
    let key = foreign_source(&this_test);
    assert!(is_version(key.compiler.trim_start_matches("rustc ")), "{}", key.compiler);
    assert_eq!(key.git, UNKNOWN);
}

#[test]
fn an_image_is_known_by_its_hash() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(hash(b""), empty);
}
