//! The deadlines of one CPU's threads: a pairing heap linked through the threads.
//!
//! Arming takes a few instructions; cancelling and expiring take a logarithm of the number, amortised. Nothing is
//! allocated. Equal deadlines expire in the order in which they were armed.

use crate::ThreadRef;

/// The armed threads of one CPU. Heap order: no thread is due before its parent.
pub(crate) struct Timers {
    root: Option<ThreadRef>,
    turn: u64,
}

fn before(one: ThreadRef, other: ThreadRef) -> bool {
    (one.deadline.get(), one.turn.get()) < (other.deadline.get(), other.turn.get())
}

/// Makes one heap of two, whose roots have no siblings.
fn meld(one: ThreadRef, other: ThreadRef) -> ThreadRef {
    let (root, child) = if before(one, other) { (one, other) } else { (other, one) };
    child.parent.set(Some(root));
    child.sibling.set(root.child.replace(Some(child)));
    // A node's `parent` is the node that links to it: its parent, or its elder sibling.
    if let Some(younger) = child.sibling.get() {
        younger.parent.set(Some(child));
    }
    root
}

/// Cuts a list of siblings into single heaps and makes one of them: pairs from left to right, then all from the right.
fn meld_all(first: Option<ThreadRef>) -> Option<ThreadRef> {
    let mut rest = first;
    let mut pairs = None;
    while let Some(one) = rest {
        let other = detach(one);
        rest = other.and_then(detach);
        let pair = match other {
            Some(other) => meld(one, other),
            None => one,
        };
        pair.sibling.set(pairs);
        pairs = Some(pair);
    }
    let mut root = None;
    while let Some(pair) = pairs {
        pairs = detach(pair);
        root = Some(match root {
            Some(root) => meld(pair, root),
            None => pair,
        });
    }
    root
}

/// Takes a node from before its sibling, which it answers.
fn detach(node: ThreadRef) -> Option<ThreadRef> {
    node.parent.set(None);
    node.sibling.take()
}

impl Timers {
    pub const fn new() -> Self {
        Self { root: None, turn: 0 }
    }

    /// The thread that is due first.
    pub fn first(&self) -> Option<ThreadRef> {
        self.root
    }

    pub fn arm(&mut self, thread: ThreadRef, deadline: u64) {
        debug_assert!(!thread.armed.get());
        self.turn += 1;
        thread.turn.set(self.turn);
        thread.deadline.set(deadline);
        thread.armed.set(true);
        self.root = Some(match self.root {
            Some(root) => meld(root, thread),
            None => thread,
        });
    }

    /// Takes `thread`, which is armed, out.
    pub fn cancel(&mut self, thread: ThreadRef) {
        debug_assert!(thread.armed.get());
        thread.armed.set(false);
        let elder = thread.parent.take();
        let younger = thread.sibling.take();
        let orphans = meld_all(thread.child.take());
        let Some(elder) = elder else {
            self.root = orphans;
            return;
        };
        if elder.child.get() == Some(thread) {
            elder.child.set(younger);
        } else {
            elder.sibling.set(younger);
        }
        if let Some(younger) = younger {
            younger.parent.set(Some(elder));
        }
        if let (Some(root), Some(orphans)) = (self.root, orphans) {
            self.root = Some(meld(root, orphans));
        }
    }

    /// Takes out the first thread that is due at `now`.
    pub fn pop(&mut self, now: u64) -> Option<ThreadRef> {
        let first = self.root.filter(|first| first.deadline.get() <= now)?;
        self.cancel(first);
        Some(first)
    }

    /// How many are armed, if heap order and links are right. Walks without a stack of its own.
    pub fn check(&self) -> Option<usize> {
        fn parent(mut node: ThreadRef) -> Option<ThreadRef> {
            loop {
                let elder = node.parent.get()?;
                if elder.child.get() == Some(node) {
                    return Some(elder);
                }
                node = elder;
            }
        }
        let Some(root) = self.root else { return Some(0) };
        if !root.armed.get() || root.parent.get().is_some() || root.sibling.get().is_some() {
            return None;
        }
        let mut count = 1;
        let mut at = root;
        let mut down = at.child.get();
        loop {
            let next = loop {
                match down.take().or_else(|| at.sibling.get()) {
                    Some(next) => break next,
                    None if at == root => return Some(count),
                    None => at = parent(at)?,
                }
            };
            if !next.armed.get() || next.parent.get() != Some(at) || before(next, parent(next)?) {
                return None;
            }
            count += 1;
            at = next;
            down = at.child.get();
        }
    }
}
