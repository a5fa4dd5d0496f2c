use super::*;

#[test]
fn what_was_said_is_told_of_what_failed() {
    let part = |ok, message: &str| Part { name: "a/b".into(), ok, message: message.into() };
    let said = || vec!["program: one".to_owned(), "kernel: two".to_owned()];
    assert_eq!(tell("seed 1", &part(true, ""), said()), "seed 1: a/b ok\n");
    assert_eq!(
        tell("seed 1", &part(false, "no"), said()),
        "seed 1: a/b FAILED no\n    program: one\n    kernel: two\n"
    );
}
