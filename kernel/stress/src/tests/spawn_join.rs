//! Threads on every CPU.

use crate::registry::{Run, Verdict, check, ensure};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};
use kernel_core::{cpu, memory, thread};
use lwkt_sched::{MayBlock, Name, Priority};

check! {
    name: "kernel/spawn_join",
    doc: "A thread on each CPU runs there, once, is joined, and gives its stack back.",
    kind: Test,
    run: spawn_join,
}

fn spawn_join(_: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let ran = Arc::new(AtomicUsize::new(0));
    let once = |cx: &mut MayBlock| {
        let mut handles = Vec::new();
        for cpu in cpu::all() {
            let (ran, wanted) = (ran.clone(), cpu.id());
            let started =
                thread::spawn_on(wanted, Name::new("child"), Priority::SERVER, move |_| {
                    if cpu::here().id() == wanted {
                        ran.fetch_add(1, Ordering::AcqRel);
                    }
                });
            handles.push(started.map_err(|_| String::from("no memory"))?);
        }
        handles.into_iter().for_each(|handle| handle.join(cx));
        Ok::<_, String>((thread::stacks_in_use(), memory::heap_in_use()))
    };
    let first = once(cx)?;
    let second = once(cx)?;
    let ran = ran.load(Ordering::Acquire);
    ensure!(
        ran == 2 * cpu::count(),
        "{ran} threads of {} ran, and where they should",
        2 * cpu::count()
    );
    ensure!(first == second, "stacks and bytes in use were {first:?}, then {second:?}");
    Ok(String::new())
}
