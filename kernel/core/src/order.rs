//! The order of events over all CPUs, as a digest: equal for equal orders, and only for those.
//!
//! It knows no times, so two runs whose events come in one order have one digest. It means something where one CPU
//! runs at a time, in mode `insns`; elsewhere events of two CPUs may overwrite each other in it.

use crate::chaos::mix;
use core::sync::atomic::{AtomicU64, Ordering};

static DIGEST: AtomicU64 = AtomicU64::new(0);

/// Forgets all events.
pub fn begin() {
    DIGEST.store(0, Ordering::Relaxed);
}

/// Notes that something happened, to somebody: `what` and `whom` tell events apart that are not alike.
#[inline]
pub fn note(what: usize, whom: usize) {
    note_digest((what as u64) << 32 | whom as u64);
}

/// The digest of all events since [`begin`].
pub fn trace() -> u64 {
    DIGEST.load(Ordering::Relaxed)
}

/// Notes an event, or the digest of a program's events, which knows them better.
#[inline]
pub(crate) fn note_digest(event: u64) {
    DIGEST.store(mix(DIGEST.load(Ordering::Relaxed) ^ event), Ordering::Relaxed);
}
