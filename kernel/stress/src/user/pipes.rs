//! Producers and consumers over pipes, with sleeps, on 4 CPU processes: each byte comes once, in order.

use crate::program::{self, Program};
use crate::registry::{Run, Verdict, check};
use alloc::format;
use lwkt_sched::MayBlock;

check! {
    name: "user/pipes",
    doc: "Producers and consumers over pipes, with sleeps, on 4 CPU processes: each byte comes once, in order.",
    kind: Stress,
    run: pipes,
}

/// Bytes of a full run.
const STEPS: u64 = 1_500_000;

fn pipes(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let steps = run.steps(STEPS);
    let ended = program::run(run, cx, &Program::new("pipes", steps))?;
    Ok(format!("{steps} bytes, each once, in order, on {} CPU processes", ended.carriers))
}
