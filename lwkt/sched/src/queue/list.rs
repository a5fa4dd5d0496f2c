//! One list in order of priority, as DragonFly has had it since 2010: for comparison.

use super::RunQueue;
use crate::{ThreadRef, sorted::Sorted};

/// A list sorted by priority, FIFO among equals. Its cost grows with the number of ready threads.
pub struct List {
    threads: Sorted,
}

impl RunQueue for List {
    fn new(idle: ThreadRef, _: fn() -> u64) -> Self {
        Self { threads: Sorted::of(idle) }
    }

    fn push(&mut self, thread: ThreadRef) {
        let priority = thread.priority.get();
        self.threads.insert(thread, |one| one.priority.get() >= priority);
    }

    fn push_first(&mut self, thread: ThreadRef) {
        let priority = thread.priority.get();
        self.threads.insert(thread, |one| one.priority.get() > priority);
    }

    fn rotate(&mut self, running: ThreadRef) {
        // The idle thread has no equals, and is the end of the list.
        if running.next.get() != running {
            self.threads.remove(running);
            self.push(running);
        }
    }

    fn pop(&mut self, running: ThreadRef) {
        self.threads.remove(running);
    }

    fn remove(&mut self, thread: ThreadRef) {
        self.threads.remove(thread);
    }

    fn best(&self) -> ThreadRef {
        self.threads.head()
    }

    fn contended(&self, running: ThreadRef) -> bool {
        self.threads.contended(running)
    }

    fn visit(&self, visit: impl FnMut(ThreadRef)) {
        self.threads.iter().for_each(visit);
    }

    fn sound(&self) -> bool {
        self.threads.is_by_priority()
    }
}
