//! A first-in first-out queue of threads that costs one pointer: the tail of a circle of links.
//!
//! The tail's link is the head, so the head goes to the tail by one store of the pointer. There is no empty circle:
//! whoever holds `Fifo`s knows which of them count (the bitmap does).

use crate::ThreadRef;

/// A circle of threads, linked through `Thread::next`.
#[derive(Clone, Copy)]
pub(crate) struct Fifo {
    tail: ThreadRef,
}

impl Fifo {
    /// The circle of `thread` alone.
    #[inline]
    pub fn of(thread: ThreadRef) -> Self {
        thread.next.set(thread);
        Self { tail: thread }
    }

    /// A value for a place whose circle does not count.
    pub const fn vacant(anyone: ThreadRef) -> Self {
        Self { tail: anyone }
    }

    #[inline]
    pub fn head(&self) -> ThreadRef {
        self.tail.next.get()
    }

    #[inline]
    pub fn push(&mut self, thread: ThreadRef) {
        thread.next.set(self.tail.next.replace(thread));
        self.tail = thread;
    }

    pub fn push_head(&mut self, thread: ThreadRef) {
        thread.next.set(self.tail.next.replace(thread));
    }

    /// Makes the head the tail. `head` is the head: who knows it saves the load.
    #[inline]
    pub fn rotate(&mut self, head: ThreadRef) {
        debug_assert!(head == self.head());
        self.tail = head;
    }

    /// Takes the head out; answers whether the circle counts no more.
    #[inline]
    #[must_use]
    pub fn pop(&mut self, head: ThreadRef) -> bool {
        debug_assert!(head == self.head());
        let next = head.next.replace(head);
        self.tail.next.set(next);
        // The head alone was its own tail.
        self.tail == head
    }

    /// The threads from head to tail.
    pub fn iter(&self) -> impl Iterator<Item = ThreadRef> + use<> {
        let tail = self.tail;
        let mut at = Some(self.head());
        core::iter::from_fn(move || {
            let thread = at?;
            at = (thread != tail).then(|| thread.next.get());
            Some(thread)
        })
    }

    /// Takes `thread` out, wherever it is: proportional to the length. `Some(true)`: the circle counts no more.
    pub fn remove(&mut self, thread: ThreadRef) -> Option<bool> {
        let before = self.iter().find(|one| one.next.get() == thread)?;
        if before == thread {
            return Some(true);
        }
        before.next.set(thread.next.replace(thread));
        if self.tail == thread {
            self.tail = before;
        }
        Some(false)
    }
}
