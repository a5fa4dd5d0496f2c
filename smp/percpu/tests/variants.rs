//! A table of variants: names, types, and the first as the usual choice.

mod counting {
    pub trait Step {
        const STEP: u32;
    }

    percpu::variants! {
        /// Ways to count.
        DAMSELFLY_TEST_COUNTING as Step:
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
fn a_name_finds_its_variant() {
    struct StepOf(u32);
    impl counting::Use for StepOf {
        type Result = u32;
        fn with<V: counting::Step>(self) -> u32 {
            self.0 + V::STEP
        }
    }
    let found = counting::NAMES.iter().map(|name| counting::by_name(name, StepOf(10)));
    assert!(found.eq([Some(11), Some(12)]));
    assert_eq!(counting::by_name("one", StepOf(10)), None);
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
