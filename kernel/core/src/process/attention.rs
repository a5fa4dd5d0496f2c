//! What a CPU process has to look at on its way to ring 3: one word, zero in the common case.

use core::sync::atomic::{AtomicU32, Ordering};

/// A set of reasons. Written and read by the CPU process's own CPU, in handlers too: each step is one instruction's
/// worth of race with an interrupt, so it is a read-modify-write, though never contended.
#[derive(Debug, Default)]
pub(crate) struct Attention(AtomicU32);

impl Attention {
    /// The process ends.
    pub(crate) const END: u32 = 1 << 0;
    /// Answers with bytes wait to be copied.
    pub(crate) const STAGED: u32 = 1 << 1;
    /// The tick: others may run, user threads too.
    pub(crate) const TICK: u32 = 1 << 2;

    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Whether there is a reason.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }

    /// Adds reasons.
    pub(crate) fn add(&self, reasons: u32) {
        self.0.fetch_or(reasons, Ordering::Relaxed);
    }

    /// Takes all reasons, but leaves [`Self::END`], which holds from its first moment on.
    pub(crate) fn take(&self) -> u32 {
        self.0.fetch_and(Self::END, Ordering::Relaxed)
    }
}
