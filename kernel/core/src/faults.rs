//! Faults by the seed, where they meet the machine; nothing in a kernel that was not built for them (`--set faults=on`).
//!
//! ```text
//!   doorbell: sender ─▶ HELD_BACK, a deadline ─▶ its timer's handler, in a critical section or not ─▶ interrupt
//!   wake:     tick, or a tick's message ─▶ some thread that waits there     timer: armed for later than it should be
//! ```
//! Which strikes when is decided in the crate `faults`; a full ring is made in `ipiq`, a refusal of memory in `memory` and `fallible`, a
//! parked CPU by who watches a stress test. Law: none loses anything. A doorbell that is held back is some CPU's to ring, by a timer
//! that is armed; so no wait lasts because of it, nor does a CPU look as if it rested for ever.

pub use ::faults::{ARE_BUILT_IN, Fault, Set, below, end, may_strike, struck};

use crate::cpu::{self, here};
use crate::{ipi, thread, timer};
use arch::trap::vector;
use ipiq::Call;
use lwkt_sched::State;
use percpu::{AtomicCpuSet, CpuId, Crit, MAX_CPUS};

/// From now on these sorts strike, as far as the command line lets them; under seed 0 none does.
pub fn begin(seed: u64, sorts: Set) {
    let wanted = crate::boot::options().and_then(|options| options.faults);
    ::faults::begin(seed, sorts.and(wanted.unwrap_or(Set::ALL)));
}

/// By how many nanoseconds a fault makes something late: 0 where it does not strike. By the dice of this CPU.
pub fn delay(fault: Fault) -> u64 {
    ::faults::delay(here().id(), fault)
}

/// Whether a fault strikes on this CPU now.
#[inline(always)]
fn strikes(fault: Fault) -> bool {
    ARE_BUILT_IN && ::faults::strikes(here().id(), fault)
}

/// The CPUs whose doorbells this one holds back, for each. Written by it alone.
static HELD_BACK: [AtomicCpuSet; ::faults::ONE * MAX_CPUS] =
    [const { AtomicCpuSet::new() }; ::faults::ONE * MAX_CPUS];

/// Whether this doorbell is rung later.
#[inline(always)]
pub(crate) fn holds_back(crit: &Crit, to: CpuId) -> bool {
    ARE_BUILT_IN && hold_back(crit, to)
}

#[cold]
#[inline(never)]
fn hold_back(crit: &Crit, to: CpuId) -> bool {
    let delay = delay(Fault::LateDoorbell);
    let (Some(held), 1..) = (HELD_BACK.get(here().id().index()), delay) else { return false };
    held.insert(to);
    timer::hasten(crit, timer::now() + delay);
    true
}

/// Rings what was held back. In the timer's handler, at any depth.
#[inline(always)]
pub(crate) fn ring_in_handler() {
    if ARE_BUILT_IN {
        ring_held_back(|to| apic::send_ipi_between(to, vector::DOORBELL));
    }
}

/// The same where the time has come before the handler did: the timer itself may be late.
pub(crate) fn ring_in_time(crit: &Crit) {
    ring_held_back(|to| apic::send_ipi(crit, to, vector::DOORBELL));
}

#[cold]
fn ring_held_back(send: impl Fn(u32)) {
    let me = here().id();
    let Some(held) = HELD_BACK.get(me.index()) else { return };
    for to in held.load().starting_at(me) {
        held.remove(to);
        send(arch::cpu::apic_id_of(to));
    }
}

/// By how many nanoseconds the timer fires later than it is wanted.
#[inline(always)]
pub(crate) fn timer_delay() -> u64 {
    if ARE_BUILT_IN { delay(Fault::LateTimer) } else { 0 }
}

/// Whether a request for memory that may be refused is refused.
#[inline(always)]
pub(crate) fn refuses_memory() -> bool {
    strikes(Fault::NoMemory)
}

/// Has the running thread, which begins to wait, find a wake that it does not wait for.
#[inline(always)]
pub(crate) fn wake_at_once(crit: &Crit) {
    if strikes(Fault::SpuriousWake) {
        thread::wake(crit, thread::current());
    }
}

/// The timer has fired: now and then a thread that waits, on any CPU, is woken.
#[inline(always)]
pub(crate) fn tick(crit: &Crit) {
    if strikes(Fault::SpuriousWake) {
        wake_somewhere(crit);
    }
}

#[cold]
#[inline(never)]
fn wake_somewhere(crit: &Crit) {
    let me = here().id();
    let to = CpuId::at(below(me, cpu::count() as u64) as usize);
    if to == me {
        wake_some(crit, 0, 0, 0);
    } else {
        // Where there is no room nobody is woken.
        let _ = ipi::fabric().send_nowait(crit, to, Call::new(wake_some, [0; 3]));
    }
}

/// Wakes one of the threads that wait here, if there are any.
fn wake_some(crit: &Crit, _: usize, _: usize, _: usize) {
    let cpu = here();
    let chosen = cpu.scheduler.with(crit, |s| {
        let waiting =
            || s.threads().filter(|one| matches!(one.state, State::Blocked | State::Sleeping));
        let count = waiting().count() as u64;
        (count > 0).then(|| waiting().nth(below(cpu.id(), count) as usize)).flatten()
    });
    if let Some(chosen) = chosen {
        thread::wake(crit, chosen.thread);
    }
}
