//! Mutexes, condition variables and semaphores of user threads exclude, wake and count, on one CPU process and across.

use crate::program::{self, Program};
use crate::registry::{Run, Verdict, check};
use alloc::format;
use lwkt_sched::MayBlock;

check! {
    name: "user/sync",
    doc: "Mutexes, condition variables and semaphores of user threads exclude, wake and count, on one CPU process and across.",
    kind: Stress,
    run: sync,
}

/// Rounds of a full run.
const STEPS: u64 = 40_000;

fn sync(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let steps = run.steps(STEPS);
    let ended = program::run(run, cx, &Program::new("sync", steps))?;
    Ok(format!("{steps} rounds of each sort on {} CPU processes", ended.carriers))
}
