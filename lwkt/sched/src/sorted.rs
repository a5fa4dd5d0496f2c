//! A list of threads in some order, linked through `Thread::next`: for run queues that keep one.
//!
//! The idle thread is its end and links to itself, so the list is never empty and a walk needs no test for that.

use crate::ThreadRef;

/// Threads in the order of their insertions.
pub(crate) struct Sorted {
    head: ThreadRef,
}

impl Sorted {
    /// The list of the idle thread alone.
    pub fn of(idle: ThreadRef) -> Self {
        idle.next.set(idle);
        Self { head: idle }
    }

    #[inline]
    pub fn head(&self) -> ThreadRef {
        self.head
    }

    /// Puts `thread` before the first of which `after` does not hold. It does not hold of the end.
    pub fn insert(&mut self, thread: ThreadRef, after: impl Fn(ThreadRef) -> bool) {
        if !after(self.head) {
            thread.next.set(self.head);
            self.head = thread;
            return;
        }
        let mut at = self.head;
        while after(at.next.get()) {
            debug_assert!(at.next.get() != at, "{thread:?} would go behind the idle thread");
            at = at.next.get();
        }
        thread.next.set(at.next.replace(thread));
    }

    /// Takes `thread` out, wherever it is.
    pub fn remove(&mut self, thread: ThreadRef) {
        if self.head == thread {
            self.head = thread.next.replace(thread);
            return;
        }
        let mut at = self.head;
        while at.next.get() != thread {
            debug_assert!(at.next.get() != at, "{thread:?} is not in the queue");
            at = at.next.get();
        }
        at.next.set(thread.next.replace(thread));
    }

    /// Whether there is a better one than `running`, or an equal.
    pub fn contended(&self, running: ThreadRef) -> bool {
        self.head != running
            || running.next.get().priority.get() == running.priority.get()
                && running.next.get() != running
    }

    /// Whether no thread is behind one of lower priority.
    pub fn is_by_priority(&self) -> bool {
        self.iter().is_sorted_by_key(|thread| core::cmp::Reverse(thread.priority.get()))
    }

    /// The threads, in order.
    pub fn iter(&self) -> impl Iterator<Item = ThreadRef> + use<> {
        core::iter::successors(Some(self.head), |at| {
            let next = at.next.get();
            (next != *at).then_some(next)
        })
    }
}
