//! CPU processes come and go.

use crate::program::{self, Program};
use crate::registry::{Run, Verdict, check, ensure};
use alloc::format;
use kernel_core::cpu;
use kernel_core::process::How;
use lwkt_sched::MayBlock;
use percpu::CpuId;

check! {
    name: "user/rfork",
    doc: "Processes come, take CPU processes on all CPUs and several on one, end from any of them, and leave nothing.",
    kind: Stress,
    run: rfork,
}

/// Processes of a full run.
const PROCESSES: u64 = 40;

fn rfork(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let processes = run.steps(PROCESSES);
    let mut carriers = 0;
    program::all_comes_back(run, cx, |run, cx| {
        for number in 0..processes {
            let mut program = Program::new("rfork", 0);
            program.cpu = CpuId::at(number as usize % cpu::count());
            // One CPU process, few, sometimes as many as there can be.
            program.arguments[1] = if number % 16 == 3 { 64 } else { 1 + number % 7 };
            let launch = program.start(run)?;
            let ended = program::wait(run, cx, "rfork", launch)?;
            ensure!(ended.how == How::Exited(0), "process {number} ended: {:?}", ended.how);
            let made = u64::from(ended.carriers);
            ensure!(made == program.arguments[1], "process {number} had {made} CPU processes");
            carriers += made;
        }
        Ok(())
    })?;
    Ok(format!("{processes} processes with {carriers} CPU processes came and went"))
}
