//! Threads that wait at a spin port, linked through their stacks.
#![allow(unsafe_code)]

use core::cell::Cell;
use core::ptr::NonNull;

use lwkt_sched::ThreadRef;

/// A thread that waits, on its own stack until it is taken or removed. Touched under the lock of its list alone.
pub(crate) struct Waiter {
    thread: ThreadRef,
    next: Cell<Option<NonNull<Waiter>>>,
    listed: Cell<bool>,
}

impl Waiter {
    pub fn new(thread: ThreadRef) -> Self {
        Self { thread, next: Cell::new(None), listed: Cell::new(false) }
    }
}

/// The threads that wait, in the order in which they began to.
pub(crate) struct Waiters {
    ends: Option<(NonNull<Waiter>, NonNull<Waiter>)>,
}

// SAFETY: a waiter is reached through its list alone, which whoever touches has to himself (the lock around it).
unsafe impl Send for Waiters {}

impl Waiters {
    pub const fn new() -> Self {
        Self { ends: None }
    }

    /// Adds a waiter at the end, unless it is in. It stays where it is, and alive, until it is taken or removed.
    pub fn add(&mut self, waiter: &Waiter) {
        if waiter.listed.replace(true) {
            return;
        }
        let this = NonNull::from(waiter);
        self.ends = Some(match self.ends {
            None => (this, this),
            Some((first, last)) => {
                at(&last).next.set(Some(this));
                (first, this)
            }
        });
    }

    /// Takes out the first.
    pub fn take(&mut self) -> Option<ThreadRef> {
        let (first, last) = self.ends?;
        let waiter = at(&first);
        waiter.listed.set(false);
        self.ends = waiter.next.take().map(|next| (next, last));
        Some(waiter.thread)
    }

    /// Takes out this waiter, if it is in.
    pub fn remove(&mut self, waiter: &Waiter) {
        let (true, Some((first, last))) = (waiter.listed.get(), self.ends) else { return };
        let this = NonNull::from(waiter);
        if first == this {
            self.take();
            return;
        }
        let mut before = first;
        while at(&before).next.get() != Some(this) {
            let Some(next) = at(&before).next.get() else { return };
            before = next;
        }
        waiter.listed.set(false);
        at(&before).next.set(waiter.next.take());
        self.ends = Some((first, if last == this { before } else { last }));
    }
}

/// A waiter that is listed.
fn at(waiter: &NonNull<Waiter>) -> &Waiter {
    // SAFETY: 1. It is listed, so its thread has not left `SpinPort::next`, where it lives. 2. All of it is cells, touched
    // under the lock alone.
    unsafe { waiter.as_ref() }
}
