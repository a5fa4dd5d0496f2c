//! A call that blocks blocks its thread only.

use crate::program::{self, Program};
use crate::registry::{Run, Verdict, check};
use alloc::format;
use lwkt_sched::MayBlock;

check! {
    name: "user/blocking",
    doc: "A call that blocks blocks its thread only.",
    kind: Stress,
    run: blocking,
}

/// Rounds of a full run.
const STEPS: u64 = 60;

fn blocking(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let steps = run.steps(STEPS);
    let ended = program::run(run, cx, &Program::new("blocking", steps))?;
    Ok(format!(
        "{steps} rounds of waiting reads and calls beside threads that run, on {} CPU processes",
        ended.carriers
    ))
}
