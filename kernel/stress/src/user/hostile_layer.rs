//! Programs that break the layer that they run on.

use crate::program::{self, Program};
use crate::registry::{Run, Verdict, check};
use alloc::format;
use kernel_core::process::How;
use lwkt_sched::MayBlock;
use servers::options::Clock;

check! {
    name: "user/hostile_layer",
    doc: "Programs overwrite the layer's own data or jump into its code: each ends or is killed, and everything comes back.",
    kind: Stress,
    run: hostile_layer,
}

/// Processes of a full run.
const PROCESSES: u64 = 120;
/// Nanoseconds that one may take; whoever sleeps or spins by then is killed. More where it is the host's time.
const TIME: u64 = 3_000_000;
const SLOW_TIME: u64 = 60_000_000;

fn hostile_layer(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let processes = run.slow_steps(PROCESSES);
    let time = if run.options.clock == Clock::Insns { TIME } else { SLOW_TIME };
    let [mut exited, mut faulted, mut killed] = [0; 3];
    program::all_comes_back(run, cx, |run, cx| {
        for number in 0..processes {
            let mut program = Program::new("hostile_layer", 0);
            program.salt = number;
            let launch = program.start(run)?;
            match program::wait_for(cx, program.name, launch, time).map(|ended| ended.how) {
                Ok(How::Exited(_)) => exited += 1,
                Ok(How::Faulted) => faulted += 1,
                Err(_) => killed += 1,
            }
        }
        Ok(())
    })?;
    Ok(format!(
        "{processes} programs broke their layer: {exited} exited, {faulted} faulted, {killed} were killed"
    ))
}
