//! Programs that do what they may not.

use crate::program;
use crate::registry::{Run, Verdict, check};
use alloc::format;
use lwkt_sched::MayBlock;

check! {
    name: "user/hostile_deeds",
    doc: "Privileged and vector instructions, wild pointers, jumps and stacks end the program with a line that says where.",
    kind: Stress,
    run: hostile_deeds,
}

fn hostile_deeds(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let (fatal, harmless) = program::all_comes_back(run, cx, program::deeds)?;
    Ok(format!("{fatal} deeds ended their program, {harmless} came back, as they should"))
}
