//! The order of what the threads of a program do, as a digest: equal for equal orders, and only for those.
//!
//! As the kernel's own, it means something where one CPU runs at a time.

use crate::mix;
use bench_api::wire::{MAX_BYTES, Record};
use core::sync::atomic::{AtomicU64, Ordering};
use program::process;

static DIGEST: AtomicU64 = AtomicU64::new(0);

/// Notes that a thread did something: `who` and `what` tell events apart that are not alike.
#[inline]
pub fn note(who: u64, what: u64) {
    let event = who << 32 ^ what;
    DIGEST.store(mix(DIGEST.load(Ordering::Relaxed) ^ event), Ordering::Relaxed);
}

/// Tells the kernel the digest of all events.
pub fn tell() {
    let mut buffer = [0; MAX_BYTES];
    let record = Record::Order { digest: DIGEST.load(Ordering::Relaxed) };
    let told = record.encode(&mut buffer).is_ok_and(|bytes| process::record(bytes).is_ok());
    crate::ensure!(told, "the kernel does not take the order of events");
}
