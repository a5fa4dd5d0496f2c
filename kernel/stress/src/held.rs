//! What the kernel holds: stacks, heap bytes, page frames. After threads or programs have come and gone, as much as before.

use crate::crew;
use crate::registry::{Run, ensure};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use kernel_core::{cpu, memory, process, thread};
use lwkt_sched::{MayBlock, Name, Priority, Reason, Why};

/// What is in use. Apart: pages that small objects share, since they stay with them; tables of objects, which keep
/// their size; memory and stacks of threads, which stay with the CPU where one was last, and are counted as stacks. (Frames of message rings count neither as in use nor as free.)
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Held {
    pub stacks: usize,
    pub bytes: u64,
    pub frames: u64,
}

impl Held {
    pub fn now() -> Self {
        crew::settle();
        let kept = thread::kept();
        Self {
            stacks: thread::stacks_in_use(),
            bytes: memory::heap_in_use() - process::table_bytes() - kept.bytes,
            frames: memory::frames_in_use()
                .wrapping_sub(memory::heap_pages())
                .wrapping_sub(kept.frames),
        }
    }

    /// What is held when as many stacks are in use as before: a CPU process, or a thread that nobody joins, keeps its own for
    /// a moment after its end.
    pub fn soon(cx: &mut MayBlock, before: &Self) -> Self {
        for _ in 0..1000 {
            if thread::stacks_in_use() == before.stacks {
                break;
            }
            thread::sleep(cx, 10_000);
        }
        Self::now()
    }

    /// Notes it in the record.
    pub fn count(&self, run: &mut Run<'_>) {
        run.count("stacks", self.stacks as u64);
        run.count("heap_bytes", self.bytes);
        run.count("frames", self.frames);
    }

    /// Whether it is as much as before.
    pub fn is_as(&self, before: &Self) -> Result<(), String> {
        let more = |now: u64, then: u64| now.wrapping_sub(then) as i64;
        let (pages, bytes) = (more(self.frames, before.frames), more(self.bytes, before.bytes));
        let stacks = more(self.stacks as u64, before.stacks as u64);
        ensure!(pages == 0, "{pages} pages leaked");
        ensure!(bytes == 0, "{bytes} heap bytes leaked");
        ensure!(stacks == 0, "{stacks} stacks leaked");
        Ok(())
    }
}

/// Has so many threads live on each CPU at once, so that their stacks are there; they stay with the CPU.
pub(crate) fn warm_up(cx: &mut MayBlock, threads: usize) {
    let go = Arc::new(AtomicBool::new(false));
    let mut handles = Vec::new();
    for cpu in cpu::all() {
        for _ in 0..threads {
            let go = go.clone();
            let started =
                thread::spawn_on(cpu.id(), Name::new("warm"), Priority::SERVER, move |cx| {
                    // Pairs with: the store below, release.
                    let why = Why::on(Reason::Event, &*go);
                    thread::wait_until(cx, why, |_| go.load(Ordering::Acquire));
                });
            handles.push(started.expect("memory for a thread of a test"));
        }
    }
    go.store(true, Ordering::Release);
    for handle in handles {
        cpu::critical(|crit| thread::wake(crit, handle.thread()));
        handle.join(cx);
    }
}
