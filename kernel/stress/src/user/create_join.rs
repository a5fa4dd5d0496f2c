//! User threads are created and joined in storms, on each CPU process and across; each returns what it was given.

use crate::program::{self, Program};
use crate::registry::{Run, Verdict, check};
use alloc::format;
use lwkt_sched::MayBlock;

check! {
    name: "user/create_join",
    doc: "User threads are created and joined in storms, on each CPU process and across; each returns what it was given.",
    kind: Stress,
    run: create_join,
}

/// Threads of a full run.
const STEPS: u64 = 40_000;

fn create_join(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let steps = run.steps(STEPS);
    let ended = program::run(run, cx, &Program::new("create_join", steps))?;
    Ok(format!("{steps} threads came and went on {} CPU processes", ended.carriers))
}
