//! Faults by a seed: what may go wrong at any moment and must do no harm. Nothing in a kernel that was not built for them.
//!
//! ```text
//!   table ──▶ Fault: a sort, how seldom it strikes, how late it makes things
//!   begin(seed, sorts) ─▶ the dice of each CPU ─▶ strikes(cpu, sort), asked where a fault can be borne ─▶ struck(sort)
//! ```
//! Unlike a planted bug, a fault breaks no law: a ring may be full, a wake may have no cause, memory may be refused. Who asks makes it
//! happen. Context law: each CPU throws its own dice, anywhere, handlers included, and waits for nothing; so where the order of
//! what each CPU does is the seed's, so are the faults.
#![no_std]
#![deny(unsafe_code)]

#[cfg(test)]
extern crate std;

mod dice;
mod table;
#[cfg(test)]
mod tests;

pub use dice::{Dice, mix};
pub use table::{Fault, Set};

use core::sync::atomic::{AtomicU8, Ordering};
use percpu::{CpuId, MAX_CPUS};

percpu::variants! {
    /// The variants by name; the first is the usual one.
    DAMSELFLY_FAULTS: off, on,
}

/// Whether faults can strike in this build.
pub const ARE_BUILT_IN: bool = !IS_USUAL;

/// Of what this build needs one for its faults: none, where there are none.
pub const ONE: usize = ARE_BUILT_IN as usize;

/// The sorts that may strike now. Relaxed: who reads it late throws once more, or once less.
static IN_FORCE: AtomicU8 = AtomicU8::new(Set::NONE.bits());

/// The dice of each CPU.
static DICE: [Dice; ONE * MAX_CPUS] = [const { Dice::new() }; ONE * MAX_CPUS];

/// From now on these sorts strike, at moments that the seed chooses; under seed 0 none does.
pub fn begin(seed: u64, sorts: Set) {
    IN_FORCE.store(Set::NONE.bits(), Ordering::Relaxed);
    for (cpu, dice) in DICE.iter().enumerate() {
        dice.begin(seed, cpu);
    }
    let sorts = if seed == 0 { Set::NONE } else { sorts };
    IN_FORCE.store(sorts.bits(), Ordering::Relaxed);
}

/// No fault strikes any more. What is late comes still.
pub fn end() {
    IN_FORCE.store(Set::NONE.bits(), Ordering::Relaxed);
}

/// Whether a fault may strike now.
#[inline(always)]
pub fn may_strike(fault: Fault) -> bool {
    ARE_BUILT_IN && Set::of_bits(IN_FORCE.load(Ordering::Relaxed)).has(fault)
}

/// Whether a fault strikes now. On that CPU.
#[inline(always)]
pub fn strikes(cpu: CpuId, fault: Fault) -> bool {
    ARE_BUILT_IN && thrown(cpu, fault)
}

#[cold]
#[inline(never)]
fn thrown(cpu: CpuId, fault: Fault) -> bool {
    may_strike(fault) && DICE.get(cpu.index()).is_some_and(|dice| dice.strikes(fault))
}

/// Whether a fault that has struck lasts: one time of two. On that CPU.
#[inline(always)]
pub fn lasts(cpu: CpuId, fault: Fault) -> bool {
    ARE_BUILT_IN && may_strike(fault) && below(cpu, 2) == 0
}

/// By how many nanoseconds a fault makes something late: 0 where it does not strike. On that CPU.
#[inline(always)]
pub fn delay(cpu: CpuId, fault: Fault) -> u64 {
    if strikes(cpu, fault) { 1 + below(cpu, fault.span()) } else { 0 }
}

/// A number below `bound`, by the dice of that CPU. On that CPU.
pub fn below(cpu: CpuId, bound: u64) -> u64 {
    DICE.get(cpu.index()).map_or(0, |dice| dice.below(bound))
}

/// How often a fault has struck since boot, over all CPUs.
pub fn struck(fault: Fault) -> u64 {
    DICE.iter().map(|dice| dice.struck(fault)).sum()
}
