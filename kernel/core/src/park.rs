//! CPUs taken away from scheduling, and given back. (Not `ipi::park`, which stops CPUs for a moment.)
//!
//! A parked CPU runs what is bound to it (its idle and interrupt threads, the contexts of processes there), takes interrupts and
//! serves messages. All else is given away, and nothing is placed there. Law: the first CPU decides what is parked, one
//! request after the other; one CPU at least stays. What a bound thread starts on its own CPU stays there until it is bidden to go.

use crate::cpu::{self, here};
use crate::{ipi, thread};
use lwkt_sched::MayBlock;
use percpu::{AtomicCpuSet, CpuId, CpuSet};

static PARKED: AtomicCpuSet = AtomicCpuSet::new();

/// Why a CPU was not taken away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParkError {
    /// There is no such CPU.
    NoSuchCpu,
    /// It is the last one that is left.
    Last,
}

/// Nanoseconds between two looks whether the threads of the CPU are gone.
const LOOK: u64 = 20_000;

/// Takes a CPU away from scheduling: returns when no thread is there that is not bound. A thread that runs there goes where it
/// next gives way or breathes, and this waits for it.
///
/// # Errors
/// There is no such CPU, or no other that is left.
pub fn park(cx: &mut MayBlock, cpu: CpuId) -> Result<(), ParkError> {
    let mut to = begin_to_park(cpu)?;
    if here().id() == cpu {
        // Refused only when this thread is bound: it may stay.
        let _ = thread::migrate(cx, to);
    }
    while is_parked(cpu) && !is_cleared(cpu, &mut to) {
        thread::sleep(cx, LOOK);
    }
    Ok(())
}

/// Takes a CPU away from scheduling: nothing is placed there from now on. What is there goes by [`is_cleared`], to this CPU first.
///
/// # Errors
/// There is no such CPU, or no other that is left.
pub fn begin_to_park(cpu: CpuId) -> Result<CpuId, ParkError> {
    if cpu.index() >= cpu::count() {
        return Err(ParkError::NoSuchCpu);
    }
    ipi::call(CpuId::BOOT, |_| {
        if !PARKED.contains(cpu) && left().count() == 1 {
            return Err(ParkError::Last);
        }
        probe::taken_away(cpu.index() as u32);
        PARKED.insert(cpu);
        Ok(other_than(cpu))
    })
}

/// Gives some of the threads away that are on a CPU which was taken away, and has those that run go where they next give way: whether
/// there were none left. They go to CPU `to`; the next ones to another, which is put in its place.
pub fn is_cleared(cpu: CpuId, to: &mut CpuId) -> bool {
    let left = ipi::call(cpu, |crit| thread::give_some(crit, *to));
    *to = other_than(*to);
    if *to == cpu {
        *to = other_than(cpu);
    }
    left == 0
}

/// Gives a CPU back.
pub fn unpark(cpu: CpuId) {
    probe::given_back(cpu.index() as u32);
    PARKED.remove(cpu);
}

/// Whether a CPU is taken away; by the time of the answer it may be otherwise.
#[inline]
pub fn is_parked(cpu: CpuId) -> bool {
    PARKED.contains(cpu)
}

/// The next CPU that is not taken away, after this one.
pub(crate) fn other_than(cpu: CpuId) -> CpuId {
    let after = CpuId::at((cpu.index() + 1) % cpu::count());
    left().starting_at(after).next().unwrap_or(CpuId::BOOT)
}

fn left() -> CpuSet {
    CpuSet::first_n(cpu::count()).minus(&PARKED.load())
}
