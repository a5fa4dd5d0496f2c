//! Very many user threads alive at once, each blocked on its own semaphore.

use crate::program::{self, Program};
use crate::registry::{Run, Verdict, check};
use alloc::format;
use kernel_core::thread;
use lwkt_sched::MayBlock;

check! {
    name: "user/alive",
    doc: "100,000 user threads alive at once cost the kernel no byte and no stack, and find their own stacks unharmed when woken.",
    kind: Stress,
    run: alive,
}

/// Threads of a full run; they take 400 MiB.
const THREADS: u64 = 100_000;

fn alive(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let mut program = Program::new("many_alive", run.slow_steps(THREADS));
    let carriers = program.arguments[1];
    // The program compares: so many stacks without it, one more for each of its CPU processes.
    let held = program::all_comes_back(run, cx, |run, cx| {
        program.arguments[2] = thread::stacks_in_use() as u64;
        let launch = program.start(run)?;
        program::wait(run, cx, "many_alive", launch)
    })?;
    crate::registry::ensure!(
        held.how == kernel_core::process::How::Exited(0),
        "many_alive ended: {:?}",
        held.how
    );
    let threads = program.arguments[0] / carriers * carriers;
    Ok(format!(
        "{},{:03} threads, {} kernel stacks, no kernel byte each",
        threads / 1000,
        threads % 1000,
        held.carriers
    ))
}
