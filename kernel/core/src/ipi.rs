//! The messages between CPUs, on this machine: the fabric of rings, rung by the local APIC.

use crate::cpu::{Machine, critical, here};
use crate::fallible;
use alloc::boxed::Box;
use core::mem::{ManuallyDrop, MaybeUninit};
use core::sync::atomic::{AtomicU64, Ordering};
use ipiq::{Bell, Call, CallFn, Fabric, RING_DEPTH, Ring};
use percpu::{CpuId, CpuSet, Crit, Here, MAX_CPUS};

/// The doorbell: an interrupt by the local APIC.
#[derive(Debug)]
pub struct Apic;

// SAFETY: the same answer as `Machine`'s.
unsafe impl Here for Apic {
    #[inline(always)]
    fn here(crit: &Crit) -> CpuId {
        Machine::here(crit)
    }
}

impl Bell for Apic {
    #[inline]
    fn ring(&self, crit: &Crit, to: CpuId) {
        apic::send_ipi(crit, arch::cpu::apic_id_of(to), arch::trap::vector::DOORBELL);
    }

    #[cold]
    #[inline(never)]
    fn restock<const DEPTH: usize>(&self, _: &Crit) -> Option<&'static mut Ring<DEPTH>> {
        let used = &here().counters.heap;
        let before = used.get();
        let ring = fallible::boxed(Ring::new()).ok().map(Box::leak);
        RING_BYTES.fetch_add(used.get().wrapping_sub(before), Ordering::Relaxed);
        ring
    }
}

/// Heap that rings made on demand have taken, for good.
static RING_BYTES: AtomicU64 = AtomicU64::new(0);

/// Bytes of the heap that rings made on demand have taken: they stay.
pub fn ring_bytes() -> u64 {
    RING_BYTES.load(Ordering::Relaxed)
}

static FABRIC: Fabric<Apic, MAX_CPUS, RING_DEPTH> = Fabric::new(Apic);

/// The fabric itself, for benchmarks of its parts.
pub fn fabric() -> &'static Fabric<Apic, MAX_CPUS, RING_DEPTH> {
    &FABRIC
}

/// Gives this CPU rings for the CPUs that it will talk to at first; more are made on demand.
pub(crate) fn stock(crit: &Crit, rings: usize) {
    for _ in 0..rings {
        let Ok(ring) = fallible::boxed(Ring::new()) else { return };
        FABRIC.stock(crit, Box::leak(ring));
    }
}

/// Has a CPU execute `func(args)` in a critical section of its own, in the order of the sends to it.
#[inline(always)]
pub fn send(crit: &Crit, to: CpuId, func: CallFn, [a, b, c]: [usize; 3]) {
    send_words(crit, to, func, a, b, c);
}

/// All in registers: a [`Call`] as an argument would go through memory.
#[inline(never)]
fn send_words(crit: &Crit, to: CpuId, func: CallFn, a: usize, b: usize, c: usize) {
    if !FABRIC.send_quickly(crit, to, Call::new(func, [a, b, c])) {
        send_words_slowly(crit, to, func, a, b, c);
    }
}

#[cold]
#[inline(never)]
fn send_words_slowly(crit: &Crit, to: CpuId, func: CallFn, a: usize, b: usize, c: usize) {
    FABRIC.send_slowly(crit, to, Call::new(func, [a, b, c]));
}

/// Has a CPU execute calls, one after the other; interrupts it once at most.
#[inline]
pub fn send_burst(crit: &Crit, to: CpuId, calls: impl IntoIterator<Item = Call>) {
    FABRIC.send_burst(crit, to, calls);
}

/// The doorbell rang: executes what other CPUs sent here.
#[inline(never)]
pub(crate) fn rang(crit: &Crit) {
    FABRIC.rang(crit);
}

/// Executes what was sent here passively.
pub(crate) fn tick(crit: &Crit) {
    FABRIC.tick(crit);
}

/// Whether something was sent here passively that was not executed yet.
#[inline]
pub(crate) fn is_noted(crit: &Crit) -> bool {
    FABRIC.is_noted(crit)
}

/// Whether something was sent to a CPU that it did not look at yet.
pub(crate) fn is_marked_on(cpu: CpuId) -> bool {
    FABRIC.is_marked(cpu)
}

/// Executes `f` in a critical section of a CPU and returns its result; serves messages while it waits.
///
/// `f` may neither wait nor ask another CPU.
pub fn call<R: Send>(cpu: CpuId, f: impl FnOnce(&Crit) -> R + Send) -> R {
    critical(|crit| call_from(crit, cpu, f))
}

/// As [`call`], from the outermost critical section of a thread, which lends no cell.
pub(crate) fn call_from<R: Send, F: FnOnce(&Crit) -> R + Send>(crit: &Crit, cpu: CpuId, f: F) -> R {
    if cpu == here().id() {
        return f(crit);
    }
    let mut errand = Errand { f: ManuallyDrop::new(f), result: MaybeUninit::uninit() };
    let address = (&raw mut errand).expose_provenance();
    FABRIC.call_wait(crit, cpu, run_errand::<R, F>, address);
    // SAFETY: `run_errand` has written it: `call_wait` returns after it has run.
    unsafe { errand.result.assume_init() }
}

/// A closure on its way to another CPU, on the stack of who waits for it.
struct Errand<R, F> {
    f: ManuallyDrop<F>,
    result: MaybeUninit<R>,
}

fn run_errand<R: Send, F: FnOnce(&Crit) -> R + Send>(crit: &Crit, address: usize) -> usize {
    let errand = core::ptr::with_exposed_provenance_mut::<Errand<R, F>>(address);
    // SAFETY: 1. `call_from` made the word and waits on that stack; 2. nobody else uses it until this returns.
    let errand = unsafe { &mut *errand };
    // SAFETY: taken once: an errand runs once.
    let f = unsafe { ManuallyDrop::take(&mut errand.f) };
    errand.result.write(f(crit));
    0
}

/// Has each CPU of a set execute `func(arg)` and returns when all have.
pub fn sync(cpus: &CpuSet, func: fn(&Crit, usize), arg: usize) {
    critical(|crit| FABRIC.sync(crit, cpus, func, arg));
}

/// The doorbell interrupt, outside critical sections: inside one the machine's entry only leaves a mark.
#[unsafe(no_mangle)]
extern "C" fn core_doorbell() {
    crate::cpu::handle(|hard| rang(hard));
}
