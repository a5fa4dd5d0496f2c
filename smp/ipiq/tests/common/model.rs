//! Two or three CPUs under loom, with rings of few slots and any policy of knocking.

use std::cell::Cell;
use std::marker::PhantomData;

use ipiq::knocking::Knocking;
use ipiq::{Bell, Call, Fabric, Ring};
use percpu::{CpuId, Crit, Here};

pub const ZERO: CpuId = CpuId::BOOT;
pub const ONE: CpuId = CpuId::at(1);

loom::thread_local! {
    static HERE: Cell<usize> = Cell::new(0);
    /// What ran on this CPU, in order: a digit for each call, after a leading 1.
    static RAN: Cell<usize> = Cell::new(1);
}

/// Interrupt lines that a halted CPU waits for.
pub struct Lines<K>([loom::sync::Notify; 3], PhantomData<K>);

// SAFETY: each thread of a model plays one CPU.
unsafe impl<K: Knocking> Here for Lines<K> {
    fn here(_crit: &Crit) -> CpuId {
        CpuId::at(HERE.with(Cell::get))
    }
}

impl<K: Knocking> Bell for Lines<K> {
    type Knocking = K;
    /// So that two others are too many for a loop, and the tree is a chain: as deep as a model can have it.
    const LOOP_MOST: usize = 1;
    const FAN: usize = 1;

    fn ring(&self, _: &Crit, to: CpuId) {
        self.0[to.index()].notify();
    }
}

/// A few CPUs with rings of `DEPTH` slots.
pub type Few<K, const CPUS: usize, const DEPTH: usize> = Fabric<Lines<K>, CPUS, DEPTH>;
/// Two of them.
pub type Two<K, const DEPTH: usize> = Few<K, 2, DEPTH>;

pub fn crit() -> Crit {
    // SAFETY: the thread that plays a CPU is that CPU's only one.
    unsafe { Crit::assume() }
}

/// Tries all orders with at most `preemptions` of them forced.
pub fn model(preemptions: usize, body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(body);
}

/// Makes a fabric; it lives as long as the process, as loom's cells may.
pub fn few<K: Knocking, const CPUS: usize, const DEPTH: usize>() -> &'static Few<K, CPUS, DEPTH> {
    let lines = core::array::from_fn(|_| loom::sync::Notify::new());
    let fabric: &Few<K, CPUS, DEPTH> = Box::leak(Box::new(Fabric::new(Lines(lines, PhantomData))));
    for cpu in 0..CPUS {
        HERE.with(|here| here.set(cpu));
        fabric.listen(&crit());
    }
    HERE.with(|here| here.set(0));
    fabric
}

pub fn play<K: Knocking, const CPUS: usize, const DEPTH: usize>(
    fabric: &Few<K, CPUS, DEPTH>,
    cpu: usize,
    rings: usize,
) {
    HERE.with(|here| here.set(cpu));
    fabric.stock(&crit(), (0..rings).map(|_| Ring::new()).collect::<Vec<_>>().leak());
}

pub fn note(_crit: &Crit, digit: usize, _: usize, _: usize) {
    RAN.with(|ran| ran.set(ran.get() * 10 + digit));
}

pub fn digit(digit: usize) -> Call {
    Call::new(note, [digit, 0, 0])
}

pub fn ran() -> usize {
    RAN.with(Cell::get)
}

/// Halts until the doorbell rings.
pub fn halt<K: Knocking, const CPUS: usize, const DEPTH: usize>(
    fabric: &Few<K, CPUS, DEPTH>,
    cpu: usize,
) {
    fabric.bell().0[cpu].wait();
}

/// Halts, drains, until `expected` ran.
pub fn serve_until_ran<K: Knocking, const CPUS: usize, const DEPTH: usize>(
    fabric: &Few<K, CPUS, DEPTH>,
    cpu: usize,
    expected: usize,
) {
    while ran() < expected {
        halt(fabric, cpu);
        fabric.drain(&crit());
    }
    assert_eq!(ran(), expected);
}
