//! Interleavings by a seed: each CPU's timer fires at seeded instants, and the handler pauses.
//!
//! Under the single-threaded emulation of mode `insns` a `pause` hands the turn to another CPU, at whichever
//! instruction the interrupt came; so the seed makes the order, and the same seed makes the same one. The image that
//! runs is the one that is measured: only the timers differ. An idle CPU has no turns: it has no turn to hand over, and a
//! timer of its own would hide that nobody will ever wake it.

use crate::cpu::{self, here};
use crate::interrupt::{self, Line};
use crate::timer;
pub use ::faults::mix;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use percpu::{Crit, MAX_CPUS};

/// The shortest and the span of the distances between turns, in nanoseconds: in mode `insns`, instructions.
const LEAST: u64 = 300;
const SPAN: u64 = 12_000;
/// How many CPUs these are for. They share the clock, so where more run each gets on less in the same time: the distances
/// grow with their number, or CPUs would do little but take turns.
const CPUS: usize = 4;

static SEED: AtomicU64 = AtomicU64::new(0);
/// Turns since boot.
static TURNS: AtomicU64 = AtomicU64::new(0);
static STATE: [AtomicU64; MAX_CPUS] = [const { AtomicU64::new(0) }; MAX_CPUS];

/// One more than the number of the line that each turn raises; 0 for none.
static RAISED: AtomicUsize = AtomicUsize::new(0);

/// Has each turn raise a line on its CPU, as an interrupt at a seeded instant does.
pub fn raise_at_turns(line: Option<Line>) {
    RAISED.store(line.map_or(0, |line| line.number() + 1), Ordering::Relaxed);
}

/// Starts seeded turns on all CPUs; 0 stops them.
pub fn set_seed(seed: u64) {
    for (index, state) in STATE.iter().enumerate() {
        state.store(mix(seed ^ (index as u64) << 32), Ordering::Relaxed);
    }
    SEED.store(seed, Ordering::Relaxed);
    crate::idle::seeded(seed != 0);
    for cpu in cpu::all() {
        crate::ipi::call(cpu.id(), |crit| {
            if seed == 0 { timer::set_chaos(crit, None) } else { next_turn(crit) }
        });
    }
}

/// The seed in force; 0 for none.
pub fn seed() -> u64 {
    SEED.load(Ordering::Relaxed)
}

/// Turns since boot.
pub fn turns() -> u64 {
    TURNS.load(Ordering::Relaxed)
}

/// Chooses this CPU's next turn.
#[cold]
#[inline(never)]
pub(crate) fn next_turn(crit: &Crit) {
    if seed() == 0 {
        return;
    }
    let state = &STATE[here().id().index()];
    let next = mix(state.load(Ordering::Relaxed));
    state.store(next, Ordering::Relaxed);
    let distance = (LEAST + next % SPAN) * cpu::count().max(CPUS) as u64 / CPUS as u64;
    timer::set_chaos(crit, Some(timer::now() + distance));
    if let Some(line) = RAISED.load(Ordering::Relaxed).checked_sub(1) {
        interrupt::raise(crit, Line::numbered(line));
    }
}

/// This CPU goes to rest: no turn until it has something to do.
#[inline]
pub(crate) fn rest(crit: &Crit) {
    if seed() != 0 {
        no_turn(crit);
    }
}

#[cold]
#[inline(never)]
fn no_turn(crit: &Crit) {
    timer::set_chaos(crit, None);
}

/// This CPU has something to do again.
#[inline]
pub(crate) fn rested(crit: &Crit) {
    if seed() != 0 {
        next_turn(crit);
    }
}

/// A turn: hands over to another CPU. In the interrupt handler, at any depth.
#[inline]
pub(crate) fn turn() {
    if seed() == 0 {
        return;
    }
    // One CPU runs at a time in the mode that this is for: none is lost.
    TURNS.store(TURNS.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    probe::turn();
    arch::irq::pause();
}
