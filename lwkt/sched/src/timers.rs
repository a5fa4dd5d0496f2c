//! The deadlines of one CPU: a pairing heap linked through what waits for them, threads or callouts.
//!
//! Arming takes a few instructions; cancelling and expiring take a logarithm of the number, amortised. Nothing is
//! allocated. Equal deadlines expire in the order in which they were armed. Context law: the owning CPU alone, in a
//! critical section, touches the heap and the alarms in it.

use core::cell::Cell;
use core::fmt;

/// What can wait for a deadline: a reference to something that has an [`Alarm`], always the same one.
pub trait Node: Copy + PartialEq {
    /// Its alarm.
    fn alarm(&self) -> &Alarm<Self>;
}

/// The part of a node that the heap links.
pub struct Alarm<N> {
    deadline: Cell<u64>,
    turn: Cell<u64>,
    armed: Cell<bool>,
    child: Cell<Option<N>>,
    sibling: Cell<Option<N>>,
    /// The node that links to this one: its parent, or its elder sibling.
    parent: Cell<Option<N>>,
}

impl<N> Alarm<N> {
    /// One that is not armed.
    pub const fn new() -> Self {
        Self {
            deadline: Cell::new(0),
            turn: Cell::new(0),
            armed: Cell::new(false),
            child: Cell::new(None),
            sibling: Cell::new(None),
            parent: Cell::new(None),
        }
    }

    /// What it is armed for.
    pub fn deadline(&self) -> Option<u64> {
        self.armed.get().then(|| self.deadline.get())
    }
}

impl<N> Default for Alarm<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N> fmt::Debug for Alarm<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Alarm").field(&self.deadline()).finish()
    }
}

/// The armed nodes of one CPU. Heap order: none is due before its parent.
pub struct Timers<N> {
    root: Option<N>,
    turn: u64,
}

fn before<N: Node>(one: N, other: N) -> bool {
    let key = |node: N| (node.alarm().deadline.get(), node.alarm().turn.get());
    key(one) < key(other)
}

/// Makes one heap of two, whose roots have no siblings.
fn meld<N: Node>(one: N, other: N) -> N {
    let (root, child) = if before(one, other) { (one, other) } else { (other, one) };
    child.alarm().parent.set(Some(root));
    child.alarm().sibling.set(root.alarm().child.replace(Some(child)));
    if let Some(younger) = child.alarm().sibling.get() {
        younger.alarm().parent.set(Some(child));
    }
    root
}

/// Cuts a list of siblings into single heaps and makes one of them: pairs from left to right, then all from the right.
fn meld_all<N: Node>(first: Option<N>) -> Option<N> {
    let mut rest = first;
    let mut pairs = None;
    while let Some(one) = rest {
        let other = detach(one);
        rest = other.and_then(detach);
        let pair = match other {
            Some(other) => meld(one, other),
            None => one,
        };
        pair.alarm().sibling.set(pairs);
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
fn detach<N: Node>(node: N) -> Option<N> {
    node.alarm().parent.set(None);
    node.alarm().sibling.take()
}

impl<N: Node> Timers<N> {
    /// None armed.
    pub const fn new() -> Self {
        Self { root: None, turn: 0 }
    }

    /// The node that is due first.
    pub fn first(&self) -> Option<N> {
        self.root
    }

    /// When that is.
    pub fn first_deadline(&self) -> Option<u64> {
        self.root.map(|first| first.alarm().deadline.get())
    }

    /// The number of the latest arming: for [`pop_until`](Self::pop_until).
    pub fn turn(&self) -> u64 {
        self.turn
    }

    /// Has `node`, which is not armed, wait for the deadline that it waited for last, maybe in the heap of another CPU.
    pub fn arm_again(&mut self, node: N) {
        self.arm(node, node.alarm().deadline.get());
    }

    /// Has `node`, which is not armed, wait for a deadline.
    pub fn arm(&mut self, node: N, deadline: u64) {
        let alarm = node.alarm();
        debug_assert!(!alarm.armed.get());
        self.turn += 1;
        alarm.turn.set(self.turn);
        alarm.deadline.set(deadline);
        alarm.armed.set(true);
        self.root = Some(match self.root {
            Some(root) => meld(root, node),
            None => node,
        });
    }

    /// Takes `node`, which is armed here, out.
    pub fn cancel(&mut self, node: N) {
        let alarm = node.alarm();
        debug_assert!(alarm.armed.get());
        alarm.armed.set(false);
        let elder = alarm.parent.take();
        let younger = alarm.sibling.take();
        let orphans = meld_all(alarm.child.take());
        let Some(elder) = elder else {
            self.root = orphans;
            return;
        };
        if elder.alarm().child.get() == Some(node) {
            elder.alarm().child.set(younger);
        } else {
            elder.alarm().sibling.set(younger);
        }
        if let Some(younger) = younger {
            younger.alarm().parent.set(Some(elder));
        }
        if let (Some(root), Some(orphans)) = (self.root, orphans) {
            self.root = Some(meld(root, orphans));
        }
    }

    /// Takes out the first node that is due at `now`.
    pub fn pop(&mut self, now: u64) -> Option<N> {
        let first = self.root.filter(|first| first.alarm().deadline.get() <= now)?;
        self.cancel(first);
        Some(first)
    }

    /// As [`pop`](Self::pop), as long as the first was armed by `turn`: what is due at once over and over ends.
    pub fn pop_until(&mut self, now: u64, turn: u64) -> Option<N> {
        self.root.filter(|first| first.alarm().turn.get() <= turn)?;
        self.pop(now)
    }

    /// How many are armed, if heap order and links are right. Walks without a stack of its own.
    pub fn check(&self) -> Option<usize> {
        fn parent<N: Node>(mut node: N) -> Option<N> {
            loop {
                let elder = node.alarm().parent.get()?;
                if elder.alarm().child.get() == Some(node) {
                    return Some(elder);
                }
                node = elder;
            }
        }
        let Some(root) = self.root else { return Some(0) };
        let armed = |node: N| node.alarm().armed.get();
        if !armed(root)
            || root.alarm().parent.get().is_some()
            || root.alarm().sibling.get().is_some()
        {
            return None;
        }
        let mut count = 1;
        let mut at = root;
        let mut down = at.alarm().child.get();
        loop {
            let next = loop {
                match down.take().or_else(|| at.alarm().sibling.get()) {
                    Some(next) => break next,
                    None if at == root => return Some(count),
                    None => at = parent(at)?,
                }
            };
            if !armed(next) || next.alarm().parent.get() != Some(at) || before(next, parent(next)?)
            {
                return None;
            }
            count += 1;
            at = next;
            down = at.alarm().child.get();
        }
    }
}

impl<N: Node> Default for Timers<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N: Node> fmt::Debug for Timers<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers").field("first", &self.first_deadline()).finish_non_exhaustive()
    }
}
