//! Cells: what they lend, what they count, and that a debug build sees a nested loan.
#![cfg(not(any(feature = "loom", feature = "shuttle")))]

use percpu::{Block, Counter, CpuId, Crit, Here, Own, PerCpu};

struct Third;

// SAFETY: these tests have one thread each; it is CPU 3.
unsafe impl Here for Third {
    fn here(_crit: &Crit) -> CpuId {
        CpuId::at(3)
    }
}

fn crit() -> Crit {
    // SAFETY: 1. no thread is moved between what a test takes for CPUs; 2. there are no interrupts.
    unsafe { Crit::assume() }
}

fn own<T>(value: T) -> Own<T> {
    // SAFETY: one thread each; the tests do not nest, but for the one that is to fail.
    unsafe { Own::new(value) }
}

#[test]
fn own_lends_its_value() {
    let cell = own(1);
    cell.with(&crit(), |value| *value += 1);
    assert_eq!(cell.with(&crit(), |value| *value), 2);
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "lent already")]
fn own_is_not_lent_twice() {
    let cell = own(1);
    cell.with(&crit(), |_| cell.with(&crit(), |_| ()));
}

#[test]
#[cfg(not(debug_assertions))]
fn own_costs_nothing() {
    assert_eq!(size_of::<Own<u64>>(), size_of::<u64>());
    assert_eq!(size_of::<Crit>(), 0);
}

#[test]
fn each_cpu_has_its_block() {
    static COUNTERS: PerCpu<Counter, 4> = PerCpu::new([const { Block::new(Counter::new()) }; 4]);
    COUNTERS.here::<Third>(&crit()).add(&crit(), 2);
    COUNTERS.here::<Third>(&crit()).add(&crit(), 3);
    let counts: Vec<u64> = (0..4).map(|cpu| COUNTERS.on(CpuId::at(cpu)).get()).collect();
    assert_eq!(counts, [0, 0, 0, 5]);
    let (a, b) = (COUNTERS.on(CpuId::at(0)), COUNTERS.on(CpuId::at(1)));
    assert!((&raw const *b).addr() - (&raw const *a).addr() >= 128);
}
