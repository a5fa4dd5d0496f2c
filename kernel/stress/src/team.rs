//! Threads of a crew that others wake.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crossbeam_utils::CachePadded;
use kernel_core::thread;
use lwkt_sched::ThreadRef;
use percpu::{CpuId, Crit};

/// Threads by number, each with its part of what the crew shares, on cache lines of its own.
pub(crate) struct Team<P>(Vec<CachePadded<Member<P>>>);

struct Member<P> {
    thread: AtomicUsize,
    part: P,
}

impl<P> Team<P> {
    /// So many threads, which are still to come.
    pub fn new(threads: usize, part: impl Fn() -> P) -> Self {
        let member = |_| CachePadded::new(Member { thread: AtomicUsize::new(0), part: part() });
        Self((0..threads).map(member).collect())
    }

    /// A thread has come, if it is one of the team: for [`Job::meet`](crate::crew::Job::meet).
    pub fn enter(&self, number: usize, thread: ThreadRef) {
        if let Some(member) = self.0.get(number) {
            // Pairs with: `thread`, acquire.
            member.thread.store(thread.into_word(), Ordering::Release);
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The part of one.
    #[inline]
    pub fn part(&self, number: usize) -> &P {
        &self.0[number].part
    }

    /// The parts of all.
    pub fn parts(&self) -> impl Iterator<Item = &P> {
        self.0.iter().map(|member| &member.part)
    }

    /// The CPU of one.
    pub fn home(&self, number: usize) -> CpuId {
        self.thread(number).home()
    }

    /// Wakes one.
    #[inline]
    pub fn wake(&self, crit: &Crit, number: usize) {
        thread::wake(crit, self.thread(number));
    }

    /// One of them.
    #[inline]
    pub fn thread(&self, number: usize) -> ThreadRef {
        // Pairs with: `enter`, release.
        let word = self.0[number].thread.load(Ordering::Acquire);
        // SAFETY: `enter` made the word, before any thread worked (`Job::meet`).
        unsafe { ThreadRef::from_word(word) }
    }
}

/// Adds to a count that one thread alone writes.
#[inline]
pub(crate) fn add(to: &AtomicU64, value: u64) {
    to.store(to.load(Ordering::Relaxed) + value, Ordering::Relaxed);
}
