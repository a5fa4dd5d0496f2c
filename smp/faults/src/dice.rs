//! The dice of one CPU: SplitMix64, and a count of each sort that came up. Law: thrown by its CPU alone; everybody may read the counts.

use crate::Fault;
use core::sync::atomic::{AtomicU64, Ordering};

/// The dice of one CPU.
#[derive(Debug)]
pub struct Dice {
    state: AtomicU64,
    struck: [AtomicU64; Fault::ALL.len()],
}

impl Default for Dice {
    fn default() -> Self {
        Self::new()
    }
}

impl Dice {
    /// Dice that were not begun.
    pub const fn new() -> Self {
        Self { state: AtomicU64::new(0), struck: [const { AtomicU64::new(0) }; Fault::ALL.len()] }
    }

    /// Begins anew: what comes follows from the seed and the CPU. The counts stay.
    pub fn begin(&self, seed: u64, cpu: usize) {
        self.state.store(mix(seed ^ mix(cpu as u64)), Ordering::Relaxed);
    }

    /// Whether this sort strikes now: once in so many throws.
    pub fn strikes(&self, fault: Fault) -> bool {
        let strikes = self.below(fault.odds()) == 0;
        if strikes {
            let count = &self.struck[fault as usize];
            count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
        strikes
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&self, bound: u64) -> u64 {
        let state = self.state.load(Ordering::Relaxed);
        self.state.store(state.wrapping_add(STEP), Ordering::Relaxed);
        mix(state) % bound
    }

    /// How often this sort has struck.
    pub fn struck(&self, fault: Fault) -> u64 {
        self.struck[fault as usize].load(Ordering::Relaxed)
    }
}

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A step of SplitMix64: a bijection that scatters.
#[inline]
pub const fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(STEP);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}
