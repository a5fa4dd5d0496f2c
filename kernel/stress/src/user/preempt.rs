//! User threads that never yield starve nobody, and keep their registers over upcalls.

use crate::program::{self, Program};
use crate::registry::{Run, Verdict, check};
use alloc::format;
use lwkt_sched::MayBlock;

check! {
    name: "user/preempt",
    doc: "User threads that never yield starve nobody, and keep their registers over upcalls.",
    kind: Stress,
    run: preempt,
}

/// Steps of a full run.
const STEPS: u64 = 1_000_000;

fn preempt(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let steps = run.steps(STEPS);
    let ended = program::run(run, cx, &Program::new("preemption", steps))?;
    Ok(format!(
        "{steps} steps without a yield, all registers kept, on {} CPU processes",
        ended.carriers
    ))
}
