//! Programs that take all memory.

use crate::program::{self, Program};
use crate::registry::{Run, Verdict, check};
use alloc::format;
use kernel_core::process::How;
use lwkt_sched::MayBlock;

check! {
    name: "user/hostile_memory",
    doc: "Programs that take all memory there is are refused more, or end; the kernel goes on, and all comes back.",
    kind: Stress,
    run: hostile_memory,
}

fn hostile_memory(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let [mut exited, mut faulted] = [0; 2];
    program::all_comes_back(run, cx, |run, cx| {
        for number in 0..2 {
            let mut program = Program::new("hostile_memory", number);
            program.arguments[1] = 1;
            let launch = program.start(run)?;
            match program::wait(run, cx, program.name, launch)?.how {
                How::Exited(_) => exited += 1,
                How::Faulted => faulted += 1,
            }
        }
        Ok(())
    })?;
    Ok(format!("without memory {exited} programs were refused more, {faulted} ended"))
}
