//! Chance for stress tests.

use kernel_core::chaos::mix;

/// Pseudo-random numbers that do not depend on the seed: what a test does is the same for all seeds, and only the
/// interleaving differs.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(salt: usize) -> Self {
        Self(mix(salt as u64))
    }

    /// A number below `bound`.
    #[inline]
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        (mix(self.0) as usize) % bound
    }
}
