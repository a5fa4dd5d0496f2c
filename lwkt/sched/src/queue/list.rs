//! One list in order of priority, as DragonFly has had it since 2010: for comparison.

use super::RunQueue;
use crate::ThreadRef;

/// A list sorted by priority, FIFO among equals. Its cost grows with the number of ready threads; the idle thread is
/// its end.
pub struct List {
    head: ThreadRef,
}

impl List {
    /// Puts `thread` before the first of which `after` does not hold.
    fn insert(&mut self, thread: ThreadRef, after: impl Fn(ThreadRef) -> bool) {
        if !after(self.head) {
            thread.next.set(self.head);
            self.head = thread;
            return;
        }
        let mut at = self.head;
        while after(at.next.get()) {
            at = at.next.get();
        }
        thread.next.set(at.next.replace(thread));
    }
}

impl RunQueue for List {
    fn new(idle: ThreadRef) -> Self {
        idle.next.set(idle);
        Self { head: idle }
    }

    fn push(&mut self, thread: ThreadRef) {
        let priority = thread.priority.get();
        self.insert(thread, |one| one.priority.get() >= priority);
    }

    fn push_first(&mut self, thread: ThreadRef) {
        let priority = thread.priority.get();
        self.insert(thread, |one| one.priority.get() > priority);
    }

    fn rotate(&mut self, running: ThreadRef) {
        // The idle thread has no equals, and is the end of the list.
        if running.next.get() != running {
            self.remove(running);
            self.push(running);
        }
    }

    fn pop(&mut self, running: ThreadRef) {
        self.remove(running);
    }

    fn remove(&mut self, thread: ThreadRef) {
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

    fn best(&self) -> ThreadRef {
        self.head
    }

    fn contended(&self, running: ThreadRef) -> bool {
        self.head != running
            || running.next.get().priority.get() == running.priority.get()
                && running.next.get() != running
    }

    fn visit(&self, mut visit: impl FnMut(ThreadRef)) {
        let mut at = self.head;
        visit(at);
        while at.next.get() != at {
            at = at.next.get();
            visit(at);
        }
    }

    fn sound(&self) -> bool {
        let mut last = self.head.priority.get();
        let mut sorted = true;
        self.visit(|thread| {
            sorted &= thread.priority.get() <= last;
            last = thread.priority.get();
        });
        sorted
    }
}
