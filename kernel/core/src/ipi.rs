//! The messages between CPUs, on this machine: the fabric of rings, rung by the local APIC.
//!
//! Law: a call runs on its target, in a critical section, and never waits. The kinds of sends stand in one table, in `ipiq`.

use crate::cpu::{Machine, critical, here};
use crate::{faults, memory};
use arch::layout::PAGE;
use core::mem::{ManuallyDrop, MaybeUninit};
use core::sync::atomic::{AtomicU64, Ordering};
use ipiq::{Bell, Call, CallFn, Fabric, Parked, RING_DEPTH, Ring};
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
    type Knocking = ipiq::knocking::Chosen;

    #[inline]
    fn ring(&self, crit: &Crit, to: CpuId) {
        if !faults::holds_back(crit, to) {
            apic::send_ipi(crit, arch::cpu::apic_id_of(to), arch::trap::vector::DOORBELL);
        }
    }

    #[cold]
    #[inline(never)]
    fn restock<const DEPTH: usize>(&self, crit: &Crit) -> &'static mut [Ring<DEPTH>] {
        match memory::take_for_good(crit) {
            // SAFETY: the frame is this CPU's alone from now on.
            Some(frame) => unsafe { rings_in(frame.virt(), PAGE / size_of::<Ring<DEPTH>>()) },
            None => &mut [],
        }
    }
}

/// Makes rings in memory that nobody else has.
///
/// # Safety
/// From `base` on there is room for `count` rings, aligned to them, for good.
unsafe fn rings_in<const DEPTH: usize>(base: usize, count: usize) -> &'static mut [Ring<DEPTH>] {
    let first = core::ptr::with_exposed_provenance_mut::<MaybeUninit<Ring<DEPTH>>>(base);
    // SAFETY: the caller's promise; what is not initialised may have any content.
    let places = unsafe { core::slice::from_raw_parts_mut(first, count) };
    places.iter_mut().for_each(|place| {
        place.write(Ring::new());
    });
    RING_BYTES.fetch_add(size_of_val(places) as u64, Ordering::Relaxed);
    let rings = core::ptr::from_mut(places) as *mut [Ring<DEPTH>];
    // SAFETY: each place has been written.
    unsafe { &mut *rings }
}

/// With how many other CPUs each CPU can talk without asking for memory again, at most: then at 255 CPUs all rings take 36 MiB.
const PARTNERS: usize = 122;

/// Rings that each of `cpus` CPUs sets aside when it comes up: one to each CPU, and some for what its calls send.
///
/// A message must not need memory that ring 3 may have taken. Up to [`PARTNERS`] CPUs none does. Where there are more, a CPU that talks to more
/// of them takes a frame for each three further ones; of deep rings, for each one.
pub(crate) const fn reserve_for(cpus: usize) -> usize {
    let partners = if cpus < PARTNERS { cpus } else { PARTNERS };
    partners + ipiq::CALL_TARGETS
}

/// The goal S4: bytes of all queues after boot, and after each CPU has talked to its neighbours.
const _: () = {
    let cpus = 255;
    let rings = cpus * reserve_for(cpus) * size_of::<Ring>();
    let neighbours = 2;
    assert!(neighbours <= PARTNERS, "neighbours need nothing that boot has not set aside");
    // A kernel with room for more has larger tables, and a variant may have larger rings.
    let all =
        MAX_CPUS > 256 || !ipiq::handover::IS_USUAL || rings + size_of_val(&FABRIC) <= 40 << 20;
    assert!(all, "queues at 255 CPUs take at most 40 MiB");
};

/// Bytes that rings have taken, for good.
static RING_BYTES: AtomicU64 = AtomicU64::new(0);

/// Bytes that rings have taken, in boot and on demand: they stay.
pub fn ring_bytes() -> u64 {
    RING_BYTES.load(Ordering::Relaxed)
}

static FABRIC: Fabric<Apic, MAX_CPUS, RING_DEPTH> = Fabric::new(Apic);

/// The fabric itself, for benchmarks of its parts.
pub fn fabric() -> &'static Fabric<Apic, MAX_CPUS, RING_DEPTH> {
    &FABRIC
}

/// Gives this CPU rings for the CPUs that it will talk to, and lets it take part. In boot.
pub(crate) fn stock(crit: &Crit, rings: usize) {
    if let Some(base) = memory::take_run(rings * size_of::<Ring>()) {
        // SAFETY: the run is this CPU's alone, page aligned, and kept for good.
        FABRIC.stock(crit, unsafe { rings_in(base, rings) });
    }
    FABRIC.listen(crit);
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

/// Has a CPU look that something was sent to passively, and that nobody has told of it. Others are left alone: it would hide that a
/// doorbell was lost.
pub(crate) fn tell_if_noted(crit: &Crit, cpu: CpuId) {
    if FABRIC.is_noted_on(cpu) {
        FABRIC.bell().ring(crit, cpu);
    }
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

/// Has each CPU of a set that listens execute a call, without waiting for it: the variant "mask".
pub fn send_mask(crit: &Crit, cpus: &CpuSet, func: CallFn, args: [usize; 3]) {
    FABRIC.send_mask(crit, cpus, Call::new(func, args));
}

/// Returns when each CPU of a set has executed all that this one sent to it before.
pub fn synchronize(cpus: &CpuSet) {
    critical(|crit| FABRIC.synchronize(crit, cpus));
}

/// Returns when each CPU of the set has executed all that anybody sent to it before.
pub fn settle(cpus: &CpuSet) {
    critical(|crit| FABRIC.settle(crit, cpus));
}

/// A set of CPUs that this one has parked.
pub type ParkedSet<'a> = Parked<'a, Apic, MAX_CPUS, RING_DEPTH>;

/// Parks the CPUs of a set, runs `f`, and lets them go.
///
/// `f` is in a critical section, may neither block nor wait, and has the parked execute things by [`Parked::run_on_all`].
pub fn park<R>(cpus: &CpuSet, f: impl FnOnce(&Crit, &ParkedSet<'_>) -> R) -> R {
    critical(|crit| f(crit, &FABRIC.park(crit, cpus)))
}

/// Whether this CPU has parked others: then no interrupt thread may preempt its thread.
#[inline]
pub fn is_master(crit: &Crit) -> bool {
    FABRIC.is_master(crit)
}

/// The doorbell interrupt, outside critical sections: inside one the machine's entry only leaves a mark.
#[unsafe(no_mangle)]
extern "C" fn core_doorbell() {
    probe::doorbell();
    crate::cpu::handle(|hard| rang(hard));
}
