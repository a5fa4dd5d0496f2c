use crate::{Exchange, Offset, Spread};
use proptest::prelude::*;
use std::vec::Vec;

/// An exchange with a counter that is ahead by `offset`: `there` ticks until it is read, `back` until the answer has come.
fn exchange(offset: i64, sent: u64, (there, back): (u64, u64)) -> Exchange {
    let answered = sent.wrapping_add(there).wrapping_add_signed(offset);
    Exchange { sent, answered, got: sent.wrapping_add(there).wrapping_add(back) }
}

fn measured(offset: i64, exchanges: &[(u64, (u64, u64))]) -> Offset {
    let each = exchanges.iter().map(|(sent, delays)| Offset::of(exchange(offset, *sent, *delays)));
    each.fold(Offset::UNKNOWN, Offset::and)
}

const FAR: i64 = 1 << 40;

fn delay() -> impl Strategy<Value = u64> {
    prop_oneof![0..100_u64, 0..1_u64 << 36]
}

fn exchanges() -> impl Strategy<Value = Vec<(u64, (u64, u64))>> {
    proptest::collection::vec((any::<u64>(), (delay(), delay())), 1..20)
}

proptest! {
    #[test]
    fn the_true_offset_is_always_inside(offset in -FAR..FAR, exchanges in exchanges()) {
        let found = measured(offset, &exchanges);
        prop_assert!(found.allows(offset));
        prop_assert!(found.within() >= offset.unsigned_abs());
        prop_assert!(found.apart() <= offset.unsigned_abs());
    }

    #[test]
    fn no_round_trip_leaves_more_doubt_than_the_shortest(offset in -FAR..FAR, exchanges in exchanges()) {
        let found = measured(offset, &exchanges);
        let shortest = exchanges.iter().map(|(_, (there, back))| there + back).min().unwrap_or(0);
        prop_assert!(found.within() - found.apart() <= shortest);
        prop_assert!(found.within() <= offset.unsigned_abs() + shortest);
        prop_assert!(found.apart() + shortest >= offset.unsigned_abs());
    }

    #[test]
    fn an_offset_that_changes_is_noticed(start in -FAR..FAR, by in 201..FAR, way in any::<bool>()) {
        let (there, back) = (100, 100);
        let changed = start + if way { by } else { -by };
        let found = measured(start, &[(7, (there, back))]).and(measured(changed, &[(1 << 41, (there, back))]));
        prop_assert!(!found.allows(start) || !found.allows(changed));
        prop_assert!(found.apart() >= by.unsigned_abs() - (there + back));
    }

    #[test]
    fn a_spread_is_as_bad_as_the_worst(offsets in proptest::collection::vec((-FAR..FAR, exchanges()), 1..20)) {
        let mut spread = Spread::default();
        for (cpu, (offset, exchanges)) in offsets.iter().enumerate() {
            spread.add(cpu + 1, measured(*offset, exchanges));
        }
        let all = || offsets.iter().map(|(offset, exchanges)| measured(*offset, exchanges));
        prop_assert_eq!(spread.within, all().map(Offset::within).max().unwrap_or(0));
        prop_assert_eq!(spread.apart, all().map(Offset::apart).max().unwrap_or(0));
        let worst = all().nth(spread.worst.saturating_sub(1)).expect("it is one of them");
        match spread.agree() {
            true => prop_assert_eq!(worst.within(), spread.within),
            false => prop_assert_eq!(worst.apart(), spread.apart),
        }
    }
}

#[test]
fn one_clock_for_all_agrees() {
    let found = measured(0, &[(1_000, (15, 20)), (2_000, (14, 25))]);
    assert_eq!((found.within(), found.apart()), (20, 0));
    assert_eq!(Offset::UNKNOWN.apart(), 0);
}

#[test]
fn who_is_a_million_ticks_ahead_or_behind_is_caught() {
    let delays = [(5, (40, 400)), (9_000, (300, 30))];
    let (ahead, behind) = (measured(1_000_000, &delays), measured(-1_000_000, &delays));
    assert_eq!((ahead.apart(), ahead.within()), (999_970, 1_000_040));
    assert_eq!((behind.apart(), behind.within()), (999_960, 1_000_030));
    let mut spread = Spread::default();
    spread.add(1, measured(0, &[(0, (2_000_000, 2_000_000))]));
    assert!(spread.agree());
    spread.add(2, behind);
    spread.add(3, measured(0, &delays));
    assert_eq!((spread.apart, spread.within, spread.worst), (999_960, 2_000_000, 2));
}
