//! An answer that a thread waits for, on its stack; it comes from whichever CPU could give it.

use lwkt_sched::{Exec, MayBlock, ThreadRef, Why};
use percpu::Crit;
use percpu::sync::{AtomicUsize, Ordering};

/// The place of an answer, and who waits for it.
///
/// | step | the thread that asks | the CPU that answers |
/// |---|---|---|
/// | 1 | sends its question; blocks until `value` is not 0, acquire | reads `thread` |
/// | 2 | returns; the place is no more | stores `value`, release, and touches the place no more |
/// | 3 | | wakes the thread |
///
/// Forbidden: going on before all that the answer is about is seen, and touching the place after the asker went on. The wake may
/// come when the thread waits for something else: every wait is a loop. Checked by the model `drain`.
#[derive(Debug)]
pub(crate) struct Answer {
    thread: ThreadRef,
    value: AtomicUsize,
}

impl Answer {
    pub fn new(thread: ThreadRef) -> Self {
        Self { thread, value: AtomicUsize::new(0) }
    }

    /// Who asks.
    pub fn thread(&self) -> ThreadRef {
        self.thread
    }

    /// Gives the answer, which is not 0: the last access.
    pub fn give<X: Exec>(&self, crit: &Crit, value: usize) {
        debug_assert!(value != 0);
        let thread = self.thread;
        // Pairs with: `wait`, acquire.
        self.value.store(value, Ordering::Release);
        X::wake(crit, thread);
    }

    /// Waits for it, in the outermost critical section of the thread.
    pub fn wait<X: Exec>(&self, crit: &Crit, cx: &mut MayBlock, why: Why) -> usize {
        loop {
            // Pairs with: `give`, release.
            match self.value.load(Ordering::Acquire) {
                0 => X::block(crit, cx, why),
                value => return value,
            }
        }
    }
}
