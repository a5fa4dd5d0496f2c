//! Programs that break the layer that they run on.

use crate::program;
use crate::registry::{Run, Verdict, check, ensure};
use alloc::format;
use lwkt_sched::MayBlock;
use servers::options::Clock;

check! {
    name: "user/hostile_layer",
    doc: "Programs overwrite the layer's own data or jump into its code: each ends or is killed, and everything comes back.",
    kind: Stress,
    run: hostile_layer,
}

/// Processes of a full run.
const PROCESSES: u64 = 40;
/// Nanoseconds that one may take; whoever sleeps or spins by then is killed. More where it is the host's time.
const TIME: u64 = 12_000_000;
const SLOW_TIME: u64 = 60_000_000;

fn hostile_layer(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let processes = run.slow_steps(PROCESSES).max(6);
    let time = if run.options.clock == Clock::Insns { TIME } else { SLOW_TIME };
    let ends = program::hostile(run, cx, ("hostile_layer", 0), processes, time)?;
    // Whoever has done its deed mostly does not live to be killed; a few, or those on a slow host, may all be late.
    let sure = run.options.clock == Clock::Insns && !run.options.quick;
    ensure!(!sure || ends.exited + ends.faulted > 0, "no program has come to its deed");
    Ok(format!(
        "{processes} programs broke their layer: {} exited, {} faulted, {} were killed",
        ends.exited, ends.faulted, ends.killed
    ))
}
