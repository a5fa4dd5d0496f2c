//! Random entries into the kernel.

use crate::program::{self, Program};
use crate::registry::{Run, Verdict, check};
use alloc::format;
use kernel_core::process::How;
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
    let [mut exited, mut faulted, mut killed] = [0; 3];
    program::all_comes_back(run, cx, |run, cx| {
        for number in 0..processes {
            let mut program = Program::new("hostile_random", ENTRIES);
            program.salt = number;
            let launch = program.start(run)?;
            match program::wait_for(cx, program.name, launch, TIME).map(|ended| ended.how) {
                Ok(How::Exited(_)) => exited += 1,
                Ok(How::Faulted) => faulted += 1,
                Err(_) => killed += 1,
            }
        }
        Ok(())
    })?;
    Ok(format!(
        "{processes} programs of {ENTRIES} entries: {exited} exited, {faulted} faulted, {killed} were killed asleep"
    ))
}
