use super::*;
use crate::model::Share;
use std::collections::BTreeSet;
use std::vec::Vec;

fn mean(time: Time) -> f64 {
    let mut chance = Chance::of(1, 2, 3);
    (0..100_000).map(|_| chance.time(time) as f64).sum::<f64>() / 100_000.0
}

#[test]
fn means_are_what_was_asked_for() {
    assert_eq!(mean(Time::Fixed(70)), 70.0);
    assert!((mean(Time::Exponential(1000)) - 1000.0).abs() < 15.0);
    let share = Share(u32::MAX / 10);
    let bimodal = mean(Time::Bimodal { short: 100, long: 1100, share });
    assert!((bimodal - 200.0).abs() < 5.0, "{bimodal}");
}

#[test]
fn the_logarithm_is_one() {
    let mut chance = Chance::of(9, 9, 9);
    let some = (0..100_000).map(|_| (chance.word() >> 11) + 1);
    let edges = (0..54).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1]);
    for v in some.chain(edges).filter(|v| (1..=1 << 53).contains(v)) {
        let wanted = -(v as f64 / (1u64 << 53) as f64).ln();
        let got = minus_ln(v) as f64 / ONE as f64;
        assert!((wanted - got).abs() < 1e-7, "{v}: {got}, and not {wanted}");
    }
    assert_eq!(minus_ln(1 << 53), 0);
}

#[test]
fn streams_differ_by_seed_stream_and_thread() {
    let first = |seed, stream, index| Chance::of(seed, stream, index).word();
    let all = [first(1, 0, 0), first(2, 0, 0), first(1, 1, 0), first(1, 0, 1), first(0, 1, 1)];
    assert_eq!(all.into_iter().collect::<BTreeSet<u64>>().len(), all.len());
    assert_eq!(first(1, 2, 3), first(1, 2, 3));
}

#[test]
fn arrivals_do_not_depend_on_who_looks_when() {
    let workload = crate::form::tests::example();
    for number in 0..workload.groups.len() {
        let arrivals = || Arrivals::of(&workload, number, 1, 4, 7);
        let (mut often, mut once) = (arrivals(), arrivals());
        let sum: u64 = (1..=1000).map(|step| often.take_until(step * 10_000)).sum();
        assert_eq!(sum, once.take_until(10_000_000));
        assert_eq!(often.next(), once.next());
    }
}

#[test]
fn no_more_arrive_than_there_are_jobs() {
    let mut workload = crate::form::tests::example();
    workload.jobs = Some(5);
    let mut some: Vec<_> = (0..3).map(|at| Arrivals::of(&workload, at, 0, 1, 1)).collect();
    let counts: Vec<u64> = some.iter_mut().map(|one| one.take_until(u64::MAX - 1)).collect();
    assert_eq!(counts, [5, 0, 0]);
    assert!(some.iter().all(|one| one.next().is_none()));
}
