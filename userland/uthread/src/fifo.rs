//! A first-in first-out list of threads: circular, linked through the threads, known by its tail.
//!
//! The head is `tail.next`, so that taking the head, adding at the tail and rotating touch one link each.
//! A thread is in one list at a time: a run queue, or the waiters of one object.
//!
//! Context law: a list belongs to one carrier and is touched by it alone.

use crate::Tcb;
use core::cell::Cell;

/// A list of threads.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct Fifo {
    tail: Cell<Option<&'static Tcb>>,
}

impl Fifo {
    /// The empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self { tail: Cell::new(None) }
    }

    /// Is nobody in it?
    #[inline(always)]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tail.get().is_none()
    }

    /// The first thread.
    #[inline(always)]
    #[must_use]
    pub fn head(&self) -> Option<&'static Tcb> {
        self.tail.get().map(|tail| tail.next.get())
    }

    /// Adds `thread`, which is in no list, at the tail; says whether the list was empty.
    #[inline(always)]
    pub fn push(&self, thread: &'static Tcb) -> Was {
        let was = match self.tail.get() {
            None => {
                thread.next.set(thread);
                Was::Empty
            }
            Some(tail) => {
                thread.next.set(tail.next.get());
                tail.next.set(thread);
                Was::Occupied
            }
        };
        self.tail.set(Some(thread));
        was
    }

    /// Adds `thread`, which is in no list, at the head.
    #[inline]
    pub fn push_front(&self, thread: &'static Tcb) -> Was {
        let tail = self.tail.get();
        let was = self.push(thread);
        if tail.is_some() {
            self.tail.set(tail);
        }
        was
    }

    /// Takes the first thread.
    #[inline(always)]
    pub fn pop(&self) -> Option<&'static Tcb> {
        let tail = self.tail.get()?;
        let head = tail.next.get();
        if core::ptr::eq(head, tail) {
            self.tail.set(None);
        } else {
            tail.next.set(head.next.get());
        }
        Some(head)
    }

    /// Makes the head, which is `head`, the tail; returns the new head.
    #[inline(always)]
    pub fn rotate(&self, head: &'static Tcb) -> &'static Tcb {
        debug_assert!(self.head().is_some_and(|first| core::ptr::eq(first, head)));
        self.tail.set(Some(head));
        head.next.get()
    }

    /// Takes `thread` out, wherever it stands. Linear: for rare use.
    pub fn remove(&self, thread: &'static Tcb) -> Removed {
        let Some(tail) = self.tail.get() else { return Removed::Absent };
        let mut before = tail;
        while !core::ptr::eq(before.next.get(), thread) {
            before = before.next.get();
            if core::ptr::eq(before, tail) {
                return Removed::Absent;
            }
        }
        if core::ptr::eq(before, thread) {
            self.tail.set(None);
            return Removed::Last;
        }
        before.next.set(thread.next.get());
        if core::ptr::eq(tail, thread) {
            self.tail.set(Some(before));
        }
        Removed::OneOfMany
    }

    /// The tail of a list that is known not to be empty.
    #[inline(always)]
    fn known_tail(&self) -> &'static Tcb {
        debug_assert!(!self.is_empty());
        // SAFETY: the callers' lists hold the running thread.
        unsafe { self.tail.get().unwrap_unchecked() }
    }

    /// Adds `thread`, which is in no list, at the tail of a list whose head is `head`.
    #[inline(always)]
    pub(crate) fn push_behind(&self, head: &'static Tcb, thread: &'static Tcb) {
        debug_assert!(self.head().is_some_and(|first| core::ptr::eq(first, head)));
        thread.next.set(head);
        self.known_tail().next.set(thread);
        self.tail.set(Some(thread));
    }

    /// Takes the head, which is `head`, out; returns the next, which is `head` itself when it was the only one: then
    /// the list still names it, and has to be cleared.
    #[inline(always)]
    pub(crate) fn unlink_head(&self, head: &'static Tcb) -> &'static Tcb {
        debug_assert!(self.head().is_some_and(|first| core::ptr::eq(first, head)));
        let next = head.next.get();
        self.known_tail().next.set(next);
        next
    }

    /// Puts `thread`, which is in no list, at the tail, and takes the head, which is `head`, out. Returns the new head.
    #[inline(always)]
    pub(crate) fn replace_head(&self, head: &'static Tcb, thread: &'static Tcb) -> &'static Tcb {
        debug_assert!(self.head().is_some_and(|first| core::ptr::eq(first, head)));
        let next = head.next.get();
        let next = if core::ptr::eq(next, head) {
            thread
        } else {
            self.known_tail().next.set(thread);
            next
        };
        thread.next.set(next);
        self.tail.set(Some(thread));
        next
    }

    /// Forgets the last thread of the list.
    #[inline(always)]
    pub(crate) fn clear(&self) {
        self.tail.set(None);
    }
}

/// What a list was before a thread was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Was {
    /// Without a thread.
    Empty,
    /// With threads.
    Occupied,
}

/// What [`Fifo::remove`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// The thread was not in this list.
    Absent,
    /// It was the only one: the list is empty now.
    Last,
    /// Others remain.
    OneOfMany,
}
