//! CPU sets against ordinary ones.
#![cfg(not(any(feature = "loom", feature = "shuttle")))]

use std::collections::BTreeSet;

use percpu::{AtomicCpuSet, CpuId, CpuSet, MAX_CPUS};
use proptest::prelude::*;

fn cpus() -> impl Strategy<Value = BTreeSet<usize>> {
    proptest::collection::btree_set(0..MAX_CPUS, 0..40)
}

fn set(cpus: &BTreeSet<usize>) -> CpuSet {
    cpus.iter().map(|&cpu| CpuId::at(cpu)).collect()
}

proptest! {
    #[test]
    fn is_a_set(a in cpus(), b in cpus()) {
        let (x, y) = (set(&a), set(&b));
        prop_assert_eq!(x.count(), a.len());
        prop_assert_eq!(x.is_empty(), a.is_empty());
        prop_assert_eq!(x.first().map(CpuId::index), a.first().copied());
        prop_assert!(x.iter().map(CpuId::index).eq(a.iter().copied()));
        for at in [0, 1, 7, 39] {
            let found = x.find_map(|cpu| (cpu.index() >= at).then_some(cpu.index()));
            prop_assert_eq!(found, a.range(at..).next().copied());
        }
        prop_assert_eq!(x.and(&y), set(&(&a & &b)));
        prop_assert_eq!(x.or(&y), set(&(&a | &b)));
        prop_assert_eq!(x.minus(&y), set(&(&a - &b)));
    }

    #[test]
    fn starts_where_told_and_wraps(cpus in cpus(), start in 0..MAX_CPUS) {
        let expected = cpus.range(start..).chain(cpus.range(..start)).copied();
        prop_assert!(set(&cpus).starting_at(CpuId::at(start)).map(CpuId::index).eq(expected));
    }

    #[test]
    fn changes_as_told(mut cpus in cpus(), change in 0..MAX_CPUS) {
        let mut changed = set(&cpus);
        let shared = AtomicCpuSet::new();
        changed.iter().for_each(|cpu| assert!(shared.insert(cpu)));
        let cpu = CpuId::at(change);
        prop_assert_eq!(changed.contains(cpu), cpus.contains(&change));
        prop_assert_eq!(shared.contains(cpu), cpus.contains(&change));
        prop_assert_eq!(shared.insert(cpu), !cpus.contains(&change));
        prop_assert_eq!(changed.insert(cpu), cpus.insert(change));
        prop_assert_eq!(changed, set(&cpus));
        prop_assert!(changed.remove(cpu) && !changed.remove(cpu));
        prop_assert!(shared.remove(cpu) && !shared.remove(cpu));
        prop_assert_eq!(shared.load(), changed);
    }
}

#[test]
fn first_n_are_the_first() {
    for count in [0, 1, 63, 64, 65, 255, 256] {
        assert!(CpuSet::first_n(count).iter().map(CpuId::index).eq(0..count));
    }
    assert_eq!(CpuSet::one(CpuId::at(200)).iter().collect::<Vec<_>>(), [CpuId::at(200)]);
    assert_eq!(CpuId::new(MAX_CPUS), None);
}

#[test]
fn a_word_is_a_whole_set_of_low_numbers() {
    let low = CpuSet::first_n(17);
    assert_eq!(low.as_word_below(17, CpuId::at(63)), Some((1 << 17) - 1));
    assert_eq!(low.as_word_below(16, CpuId::at(0)), None, "16 is not below 16");
    assert_eq!(low.as_word_below(17, CpuId::at(64)), None, "64 is in no word");
    for high in [64, 128, 192, 255] {
        let mut set = low;
        set.insert(CpuId::at(high));
        assert_eq!(set.as_word_below(64, CpuId::at(0)), None);
    }
    let word = CpuSet::first_n(64);
    assert_eq!(word.as_word_below(64, CpuId::at(0)), Some(u64::MAX));
}

#[test]
fn the_next_cpu_of_a_set_is_the_iterators() {
    let members = [0, 5, 63, 64, 130, 255].map(CpuId::at);
    let set = AtomicCpuSet::default();
    assert_eq!(set.next_after(CpuId::at(7)), None);
    for member in members {
        set.insert(member);
        for from in (0..percpu::MAX_CPUS).map(CpuId::at) {
            let expected = set.load().starting_at(from).find(|cpu| *cpu != from);
            assert_eq!(set.next_after(from), expected, "after {from}");
        }
    }
}

/// From each origin, over the ends of words too: each other member once, in order, and none after the round.
#[test]
fn a_round_visits_each_other_member_once() {
    let members = [0, 5, 63, 64, 130, 255].map(CpuId::at);
    let set = AtomicCpuSet::default();
    members.iter().for_each(|member| assert!(set.insert(*member)));
    for origin in [0, 1, 63, 64, 100, 255].map(CpuId::at) {
        let mut expected: Vec<_> = set.load().starting_at(origin).collect();
        expected.retain(|cpu| *cpu != origin);
        let round = std::iter::successors(Some(origin), |here| set.next_on_round(origin, *here));
        assert_eq!(round.skip(1).collect::<Vec<_>>(), expected, "from {origin}");
    }
}
