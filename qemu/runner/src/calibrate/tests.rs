use super::*;

#[test]
fn a_fast_idle_host_changes_nothing() {
    assert_eq!(factor(REFERENCE / 3, 0.0, 2), 1.0);
    assert_eq!(factor(REFERENCE, 1.0, 2), 1.0);
}

#[test]
fn a_slow_start_or_a_load_stretches_limits() {
    assert_eq!(factor(REFERENCE * 4, 0.0, 2), 4.0);
    assert_eq!(factor(REFERENCE, 9.0, 2), 5.0);
    assert_eq!(factor(REFERENCE * 1000, 0.0, 2), MOST);
}

#[test]
fn load_is_the_first_number() {
    assert_eq!(load("3.25 1.00 0.50 2/345 6789\n"), 3.25);
    assert_eq!(load(""), 0.0);
}
