use super::*;

#[test]
fn lines_with_anything_in_them() {
    assert!(is_like("", ""));
    assert!(is_like("plain", "plain") && !is_like("plain", "plainer"));
    assert!(is_like("at [..] ns", "at 17 ns") && is_like("at [..] ns", "at  ns"));
    assert!(!is_like("at [..] ns", "at 17 us") && !is_like("at [..] ns", "that 17 ns"));
    assert!(is_like("[..] of [..]", "1 of 2 of 3") && !is_like("[..] of [..]x", "1 of 2"));
    assert!(is_like("[..]", "ä"));
}

#[test]
fn any_lines_between() {
    let pinned = "first\n    ...\nlast\n";
    for text in ["first\nlast\n", "first\nlast\nlast\n", "first\n1\n2\nlast\n"] {
        assert_eq!(differs(pinned, text), None, "{text}");
    }
    assert_eq!(differs("...\n", ""), None);
    for text in ["", "first\n", "first\nlast\nmore\n", "more\nfirst\nlast\n"] {
        assert!(differs(pinned, text).is_some(), "{text}");
    }
}

#[test]
fn the_first_line_that_is_not_so_is_told() {
    let told = |pinned, text| differs(pinned, text).expect("they differ");
    assert_eq!(told("a\nb [..]\n", "a\nc\n"), "must be: b [..]\nbut is:  c\n");
    assert_eq!(told("a\n...\nb\nc\n", "a\n1\nb\nd\n"), "must be: c\nbut is:  d\n");
    assert_eq!(told("a\n", "a\nb\n"), "must be: the end\nbut is:  b\n");
    assert_eq!(told("a\nb\n", "a\n"), "must be: b\nbut is:  the end\n");
}
