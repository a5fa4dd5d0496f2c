//! Random entries into the kernel.

use crate::program;
use crate::registry::{Run, Verdict, check};
use alloc::format;
use lwkt_sched::MayBlock;

check! {
    name: "user/hostile_random",
    doc: "Thousands of random messages, by seed: errors or the end of their program, and everything comes back.",
    kind: Stress,
    run: hostile_random,
}

/// Processes of a full run, and entries that each tries.
const PROCESSES: u64 = 40;
const ENTRIES: u64 = 1_000;
/// Nanoseconds that one may take; a program that sleeps for ever by then is killed.
const TIME: u64 = 100_000_000;

fn hostile_random(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let processes = run.steps(PROCESSES);
    let ends = program::hostile(run, cx, ("hostile_random", ENTRIES), processes, TIME)?;
    Ok(format!(
        "{processes} programs of {ENTRIES} entries: {} exited, {} faulted, {} were killed asleep",
        ends.exited, ends.faulted, ends.killed
    ))
}
