//! Threads that nobody joins.

use crate::crew;
use crate::registry::{Run, Verdict, check, ensure};
use alloc::string::String;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering};
use kernel_core::{cpu, thread};
use lwkt_sched::{MayBlock, Name, Priority};

check! {
    name: "kernel/detached",
    doc: "A thread that nobody joins gives its stack back by itself.",
    kind: Test,
    run: detached,
}

fn detached(_: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let before = thread::stacks_in_use();
    let ran = Arc::new(AtomicUsize::new(0));
    for cpu in cpu::all() {
        let ran = ran.clone();
        let started =
            thread::spawn_detached(cpu.id(), Name::new("loose"), Priority::SERVER, move |_| {
                ran.fetch_add(1, Ordering::AcqRel);
            });
        ensure!(started.is_ok(), "no memory");
    }
    for _ in 0..100_000 {
        if ran.load(Ordering::Acquire) == cpu::count() && thread::stacks_in_use() == before {
            return Ok(String::new());
        }
        crew::relax(cx);
    }
    Err(alloc::format!(
        "{} ran; {} stacks in use, {before} before",
        ran.load(Ordering::Acquire),
        thread::stacks_in_use()
    ))
}
