//! Threads that are over, kept for the next ones with their stacks; and what threads have taken for good.
//!
//! Law: own CPU only. A CPU keeps any number of those whose stacks it mapped, and up to [`WARM`] of others.

use super::life::body_of;
use arch::stack;
use lwkt_sched::{ThreadCache, Unstarted};
use percpu::CpuId;

/// Threads that a CPU keeps for the next, whoever mapped their stacks.
const WARM: usize = 64;

/// Threads that are over, with their stacks, and stack slots that never had one.
pub struct Spares {
    threads: ThreadCache<Unstarted, WARM>,
    /// More of them, linked through their bodies: a thread's memory is never given up, however many there were at once.
    more: Option<Unstarted>,
    more_count: usize,
    pub(super) next_slot: usize,
    pub(super) kept: Kept,
}

/// What threads have taken for good: their memory and stacks, and the tables that show these. It is never given up, in use or to spare.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kept {
    /// Bytes of the heap.
    pub bytes: u64,
    /// Page frames.
    pub frames: u64,
}

impl core::ops::Add for Kept {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self {
            bytes: self.bytes.wrapping_add(more.bytes),
            frames: self.frames.wrapping_add(more.frames),
        }
    }
}

impl Spares {
    pub(crate) const fn new() -> Self {
        let next_slot = stack::FIRST_SLOT;
        let kept = Kept { bytes: 0, frames: 0 };
        Self { threads: ThreadCache::new(), more: None, more_count: 0, next_slot, kept }
    }

    /// What this CPU has taken for threads.
    pub(crate) fn kept(&self) -> Kept {
        self.kept
    }

    /// Kernel stacks that this CPU has mapped, less those that it keeps: over all CPUs, those that threads use, idle threads
    /// not counted.
    pub(crate) fn in_use(&self) -> isize {
        (self.next_slot - stack::FIRST_SLOT).cast_signed()
            - (self.threads.len() + self.more_count).cast_signed()
    }

    /// A thread with a stack, if there is one to spare.
    pub(super) fn take(&mut self) -> Option<Unstarted> {
        self.threads.take().or_else(|| {
            let memory = self.more.take()?;
            self.more = body_of(&memory).next.take();
            self.more_count -= 1;
            Some(memory)
        })
    }

    /// Keeps a thread that is over. What does not find room, and whose stack is of another CPU than `here`, comes back.
    pub(super) fn put(&mut self, memory: Unstarted, here: CpuId) -> Result<(), Unstarted> {
        match self.threads.put(memory) {
            Ok(()) => Ok(()),
            Err(memory) if body_of(&memory).stack_home == here => {
                self.put_more(memory);
                Ok(())
            }
            Err(memory) => Err(memory),
        }
    }

    #[cold]
    fn put_more(&mut self, memory: Unstarted) {
        body_of(&memory).next.set(self.more.take());
        self.more = Some(memory);
        self.more_count += 1;
    }
}
