use super::*;
use proptest::prelude::*;
use std::vec::Vec;

fn settings(filter: &str) -> Settings<'_> {
    Settings { mode: Mode::Tcg, quick: true, seed: 7, filter, why: true, curves: true }
}

#[test]
fn words_say_what_was_packed() {
    let words = pack(&settings("user/yield,clock"), true).expect("it fits");
    let mut text = [0; FILTER_BYTES];
    let (read, list) = unpack(&words, &mut text).expect("they were packed");
    assert_eq!(
        (read.mode, read.quick, read.seed, read.filter),
        (Mode::Tcg, true, 7, "user/yield,clock")
    );
    assert!(list && read.why);
}

#[test]
fn a_filter_of_just_the_room_fits_and_one_more_does_not() {
    let text = "x".repeat(FILTER_BYTES + 1);
    assert!(pack(&settings(&text[1..]), false).is_some());
    assert!(pack(&settings(&text), false).is_none());
}

#[test]
fn words_from_nowhere_are_refused() {
    let mut text = [0; FILTER_BYTES];
    assert!(unpack(&[99, 0, 0, 0, 0, 0, 0], &mut text).is_none());
    assert!(unpack(&[0, 0, u64::MAX, 0, 0, 0, 0], &mut text).is_none());
}

#[test]
fn no_filter_is_one_piece_and_commas_at_the_end_are_none() {
    assert_eq!(pieces("").collect::<Vec<_>>(), [""]);
    let long = std::format!("{},", "y".repeat(FILTER_BYTES));
    assert_eq!(pieces(&long).collect::<Vec<_>>(), ["y".repeat(FILTER_BYTES)]);
}

proptest! {
    #[test]
    fn pieces_match_what_the_whole_matches(parts in prop::collection::vec("[a-c/]{0,50}", 0..12), name in "[a-c/]{1,40}") {
        let filter = parts.join(",");
        let pieces: Vec<&str> = pieces(&filter).collect();
        prop_assert!(pieces.iter().all(|piece| piece.len() <= FILTER_BYTES));
        let any = pieces.iter().any(|piece| crate::matches(piece, &name));
        prop_assert_eq!(any, crate::matches(&filter, &name));
    }
}
