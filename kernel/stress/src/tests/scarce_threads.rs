//! Threads while there is too little memory for one.

use crate::crew;
use crate::registry::{Run, Verdict, check, ensure};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use kernel_core::memory::{self, Refusal};
use kernel_core::thread::{self, Handle, OutOfMemory};
use kernel_core::{cpu, ipi};
use lwkt_sched::{MayBlock, Name, Priority};
use percpu::CpuId;

check! {
    name: "kernel/scarce_threads",
    doc: "A thread that lacks one of its parts is refused and leaves nothing; the next one finds its stack; all stacks serve again.",
    kind: Test,
    run: scarce_threads,
}

/// What a thread is made of at least: closure, memory, what the kernel keeps of it, and a stack of seven pages.
const PARTS: u64 = 10;
/// Threads of a CPU that live at once: more than it keeps at hand for the next.
const AT_ONCE: usize = 100;

fn scarce_threads(_: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    for cpu in cpu::all().map(cpu::Cpu::id) {
        let crowd = Crowd::default();
        let mut threads = Vec::with_capacity(AT_ONCE);
        // Until none that is over has a stack to spare.
        loop {
            let (thread, asked) = crowd.refused(cpu, Refusal::Count);
            threads.push(thread.map_err(|_| String::from("nothing was refused"))?);
            if asked >= PARTS {
                break;
            }
        }
        crowd.begun(cx, threads.len());
        let before = held();
        let mut number = 1;
        let (thread, asked) = loop {
            let (thread, asked) = crowd.refused(cpu, Refusal::Nth(number));
            if let Ok(thread) = thread {
                break (thread, asked);
            }
            let after = held();
            // A table for stacks stays, for the attempt that comes next.
            ensure!(
                after.0.wrapping_sub(before.0) <= 1 && after.1 == before.1,
                "part {number} refused: in use were {before:?}, and are {after:?}"
            );
            number += 1;
        };
        ensure!(
            number > PARTS && asked < number,
            "a thread was made of {asked} parts without part {number}"
        );
        threads.push(thread);
        while threads.len() < AT_ONCE {
            let thread = crowd.join(cpu).map_err(|_| String::from("no memory"))?;
            threads.push(thread);
        }
        crowd.leave(cx, threads);
        let before = held();
        let crowd = Crowd::default();
        let all: Result<Vec<_>, _> = (0..AT_ONCE).map(|_| crowd.join(cpu)).collect();
        crowd.leave(cx, all.map_err(|_| String::from("no memory"))?);
        let after = held();
        ensure!(after == before, "threads came again: in use were {before:?}, and are {after:?}");
    }
    Ok(String::new())
}

/// Threads that wait until they may go; and how many have begun.
#[derive(Default)]
struct Crowd(Arc<(AtomicBool, AtomicUsize)>);

impl Crowd {
    fn join(&self, cpu: CpuId) -> Result<Handle, OutOfMemory> {
        let go = self.0.clone();
        thread::spawn_on(cpu, Name::new("one of many"), Priority::SERVER, move |cx| {
            go.1.fetch_add(1, Ordering::Relaxed);
            while !go.0.load(Ordering::Acquire) {
                crew::relax(cx);
            }
        })
    }

    /// One more, while memory is refused; and how many requests for it there were.
    fn refused(&self, cpu: CpuId, refusal: Refusal) -> (Result<Handle, OutOfMemory>, u64) {
        memory::refuse(refusal);
        let thread = self.join(cpu);
        let asked = memory::asked();
        memory::refuse(Refusal::Off);
        (thread, asked)
    }

    /// Waits until so many have begun, and each has given back what it was begun with.
    fn begun(&self, cx: &mut MayBlock, threads: usize) {
        while self.0.1.load(Ordering::Relaxed) < threads {
            crew::relax(cx);
        }
    }

    fn leave(self, cx: &mut MayBlock, threads: Vec<Handle>) {
        self.0.0.store(true, Ordering::Release);
        threads.into_iter().for_each(|thread| thread.join(cx));
    }
}

/// Pages apart from those that small objects share, and bytes apart from the rings'.
fn held() -> (u64, u64) {
    crew::settle();
    (
        memory::frames_in_use().wrapping_sub(memory::heap_pages()),
        memory::heap_in_use().wrapping_sub(ipi::ring_bytes()),
    )
}
