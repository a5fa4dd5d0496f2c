//! Messages that are wrong in every known way.

use crate::program::{self, Program};
use crate::registry::{Run, Verdict, check};
use alloc::format;
use lwkt_sched::MayBlock;

check! {
    name: "user/hostile_messages",
    doc: "Wrong numbers, flags, lengths, elements, pointers, handles and mappings are refused, each with its own error.",
    kind: Stress,
    run: hostile_messages,
}

fn hostile_messages(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let ended = program::run(run, cx, &Program::new("hostile_messages", 0))?;
    Ok(format!("each refused as it should be, on {} CPU processes", ended.carriers))
}
