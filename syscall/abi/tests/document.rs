//! `MESSAGES.md` says what the table says.

mod common;

#[test]
fn document() {
    let mut text = String::new();
    abi::write_document(&mut text).unwrap();
    common::golden("../MESSAGES.md", &text);
}
