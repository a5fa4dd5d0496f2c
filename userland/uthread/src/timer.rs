//! Sleeping threads of a carrier: a pairing heap by deadline, linked through the threads, without allocation.
//!
//! Adding is constant, taking the earliest is logarithmic on average; equal deadlines come in the order of adding.
//! All of them together are one deadline for the kernel.

use crate::Tcb;
use core::cell::Cell;

/// A thread's place in the heap.
#[derive(Debug)]
pub(crate) struct Node {
    deadline: Cell<u64>,
    order: Cell<u64>,
    child: Cell<Option<&'static Tcb>>,
    sibling: Cell<Option<&'static Tcb>>,
}

impl Node {
    pub(crate) const fn new() -> Self {
        Self {
            deadline: Cell::new(0),
            order: Cell::new(0),
            child: Cell::new(None),
            sibling: Cell::new(None),
        }
    }
}

/// The heap.
#[derive(Debug, Default)]
pub struct Timers {
    root: Cell<Option<&'static Tcb>>,
    added: Cell<u64>,
}

impl Timers {
    /// The empty heap.
    #[must_use]
    pub const fn new() -> Self {
        Self { root: Cell::new(None), added: Cell::new(0) }
    }

    /// The earliest deadline.
    #[must_use]
    #[inline]
    pub fn next(&self) -> Option<u64> {
        self.root.get().map(|thread| thread.timer.deadline.get())
    }

    /// Adds `thread`, which is not in it, with `deadline`.
    pub fn add(&self, thread: &'static Tcb, deadline: u64) {
        let order = self.added.get();
        self.added.set(order + 1);
        thread.timer.deadline.set(deadline);
        thread.timer.order.set(order);
        thread.timer.child.set(None);
        thread.timer.sibling.set(None);
        self.root.set(Some(match self.root.get() {
            None => thread,
            Some(root) => meld(root, thread),
        }));
    }

    /// Takes the earliest thread if its deadline is not after `now`.
    pub fn expired(&self, now: u64) -> Option<&'static Tcb> {
        let root = self.root.get().filter(|root| root.timer.deadline.get() <= now)?;
        self.root.set(pair_up(root.timer.child.take()));
        Some(root)
    }
}

/// One heap of two: the later root becomes a child of the earlier.
fn meld(a: &'static Tcb, b: &'static Tcb) -> &'static Tcb {
    let key = |thread: &Tcb| (thread.timer.deadline.get(), thread.timer.order.get());
    let (parent, child) = if key(b) < key(a) { (b, a) } else { (a, b) };
    child.timer.sibling.set(parent.timer.child.get());
    parent.timer.child.set(Some(child));
    parent
}

/// One heap of the chain that begins with `first`: in pairs from the left, then from the right.
fn pair_up(first: Option<&'static Tcb>) -> Option<&'static Tcb> {
    let mut rest = first;
    let mut pairs: Option<&'static Tcb> = None;
    while let Some(a) = rest {
        let melded = match a.timer.sibling.take() {
            None => {
                rest = None;
                a
            }
            Some(b) => {
                rest = b.timer.sibling.take();
                meld(a, b)
            }
        };
        melded.timer.sibling.set(pairs);
        pairs = Some(melded);
    }
    let mut all = pairs?;
    let mut rest = all.timer.sibling.take();
    while let Some(heap) = rest {
        rest = heap.timer.sibling.take();
        all = meld(all, heap);
    }
    Some(all)
}
