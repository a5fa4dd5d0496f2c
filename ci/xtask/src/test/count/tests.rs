use super::*;

#[test]
fn every_result_line_counts() {
    let output = "running 3 tests\ntest a ... ok\n\
        test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
        test result: FAILED. 12 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s\n";
    assert_eq!(libtest(output), (15, 2));
}

#[test]
fn nothing_is_nothing() {
    assert_eq!(libtest("error: could not compile"), (0, 0));
    assert_eq!(libtest("test result: odd"), (0, 0));
}
