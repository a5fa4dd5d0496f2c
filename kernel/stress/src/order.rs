//! The order of events over all CPUs, as a digest: equal for equal orders, and only for those.
//!
//! It knows no times, so two runs whose events come in one order have one digest. It means something where one CPU
//! runs at a time, in mode `insns`; elsewhere events of two CPUs may overwrite each other in it.

use core::sync::atomic::{AtomicU64, Ordering};
use kernel_core::chaos::mix;

static DIGEST: AtomicU64 = AtomicU64::new(0);

/// Forgets all events.
pub(crate) fn begin() {
    DIGEST.store(0, Ordering::Relaxed);
}

/// Notes that something happened, to somebody: `what` and `whom` tell events apart that are not alike.
#[inline]
pub(crate) fn note(what: usize, whom: usize) {
    let event = (what as u64) << 32 | whom as u64;
    DIGEST.store(mix(DIGEST.load(Ordering::Relaxed) ^ event), Ordering::Relaxed);
}

/// The digest of all events since [`begin`].
pub(crate) fn trace() -> u64 {
    DIGEST.load(Ordering::Relaxed)
}

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
