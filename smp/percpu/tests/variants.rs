//! A table of variants: names, types, and the first as the usual choice.

mod counting {
    percpu::variants! {
        /// Ways to count.
        DAMSELFLY_TEST_COUNTING:
        ones: Ones,
        twos: Twos,
    }
}

#[test]
fn the_first_is_chosen_when_nobody_chooses() {
    assert_eq!(counting::NAMES, ["ones", "twos"]);
    assert_eq!(counting::CHOSEN, "ones");
    let _: counting::Chosen = counting::Ones;
    let _ = counting::Twos;
}

#[test]
fn a_place_is_that_of_the_name() {
    assert_eq!(percpu::place(&["one", "on", "two"], "on"), 1);
    assert_eq!(percpu::place(&["one", "on", "two"], "two"), 2);
}

#[test]
#[should_panic(expected = "no line of the table names")]
fn an_unknown_name_has_no_place() {
    percpu::place(&["one", "two"], "twos");
}
