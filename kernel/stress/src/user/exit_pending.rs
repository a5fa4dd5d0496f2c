//! Ends with calls pending, and ends from outside.

use crate::program::{self, Program};
use crate::registry::{Run, Verdict, check, ensure};
use alloc::format;
use kernel_core::chaos::mix;
use kernel_core::process::How;
use kernel_core::{cpu, thread};
use lwkt_sched::MayBlock;
use percpu::CpuId;

check! {
    name: "user/exit_pending",
    doc: "A process ends with calls of every sort pending; one in an endless loop on 4 CPU processes is killed from another CPU.",
    kind: Stress,
    run: exit_pending,
}

/// Processes of a full run that end themselves, and that are killed.
const PROCESSES: u64 = 24;

fn exit_pending(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let processes = run.steps(PROCESSES);
    program::all_comes_back(run, cx, |run, cx| {
        for number in 0..processes {
            let mut program = Program::new("exit_pending", 0);
            program.cpu = CpuId::at(number as usize % cpu::count());
            let launch = program.start(run)?;
            let ended = program::wait(run, cx, "exit_pending", launch)?;
            ensure!(ended.how == How::Exited(7), "process {number} ended: {:?}", ended.how);
            killed(run, cx, number)?;
        }
        Ok(())
    })?;
    Ok(format!("{processes} processes ended with calls pending, {processes} were killed in a loop"))
}

/// Kills a process that spins, early or late in its life.
fn killed(run: &Run<'_>, cx: &mut MayBlock, number: u64) -> Result<(), alloc::string::String> {
    let mut program = Program::new("spin", 0);
    program.cpu = CpuId::at((number as usize + 1) % cpu::count());
    let launch = program.start(run)?;
    thread::sleep(cx, mix(run.options.seed ^ number) % 600_000);
    launch.kill();
    let ended = program::wait(run, cx, "spin", launch)?;
    ensure!(ended.how == How::Faulted, "what was killed ended: {:?}", ended.how);
    Ok(())
}
