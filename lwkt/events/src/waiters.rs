//! The threads of one CPU that wait on queues: a list for each queue, linked through nodes on the threads' stacks.
//!
//! Lists are found by the queue's address in a small table of chains; the first waiter of a list stands in its chain for
//! all. So a wait queue needs no memory for each CPU, and a wake looks at waiters of its own queue only.
#![allow(unsafe_code)]

use core::cell::Cell;
use core::fmt;
use core::ptr::NonNull;

use lwkt_sched::ThreadRef;

/// Chains of a CPU; a power of two.
const CHAINS: usize = 64;

/// A thread that waits on a queue: a node on its stack.
///
/// Law: the thread does not leave the function that made it before it is off the lists, and nobody but the CPU that it
/// waits on touches it.
pub(crate) struct Waiter {
    queue: usize,
    thread: ThreadRef,
    queued: Cell<bool>,
    /// The circle of the queue's waiters, oldest first.
    next: Cell<Option<WaiterRef>>,
    previous: Cell<Option<WaiterRef>>,
    /// The first waiter of another queue in this chain; of first waiters only.
    chain: Cell<Option<WaiterRef>>,
}

impl Waiter {
    pub const fn new(queue: usize, thread: ThreadRef) -> Self {
        let (next, previous, chain) = (Cell::new(None), Cell::new(None), Cell::new(None));
        Self { queue, thread, queued: Cell::new(false), next, previous, chain }
    }

    /// Whether it is on a list: nobody has woken it.
    pub fn is_queued(&self) -> bool {
        self.queued.get()
    }
}

/// A waiter that is on a list, or about to be.
#[derive(Clone, Copy, PartialEq, Eq)]
struct WaiterRef(NonNull<Waiter>);

// SAFETY: it is in `Waiters` and in other waiters only, all of which one CPU touches (law of `Waiter`).
unsafe impl Send for WaiterRef {}

impl core::ops::Deref for WaiterRef {
    type Target = Waiter;
    #[inline(always)]
    fn deref(&self) -> &Waiter {
        // SAFETY: 1. What is on a list lives: its thread takes it off before it leaves (`wait_queue::wait`). 2. It is made of
        // cells, which this CPU alone touches.
        unsafe { self.0.as_ref() }
    }
}

/// The waiting threads of one CPU.
pub struct Waiters {
    chains: [Cell<Option<WaiterRef>>; CHAINS],
    /// Wakes that found nobody here.
    missed: Cell<u32>,
}

impl Waiters {
    /// Nobody waits.
    pub const fn new() -> Self {
        Self { chains: [const { Cell::new(None) }; CHAINS], missed: Cell::new(0) }
    }

    /// Where the first waiter of a queue is linked, or would be.
    #[inline]
    fn place(&self, queue: usize) -> &Cell<Option<WaiterRef>> {
        // Queues are some words apart.
        let mut place = &self.chains[(queue >> 5 ^ queue >> 11) % CHAINS];
        while let Some(first) = place.get() {
            if first.queue == queue {
                break;
            }
            // SAFETY: as in `WaiterRef::deref`; the lists stay as they are while `self` is borrowed.
            place = unsafe { &first.0.as_ref().chain };
        }
        place
    }

    /// Puts `waiter` last on the list of its queue.
    ///
    /// # Safety
    /// It stays where it is until it is off again, by `pop` or `remove`, both on this CPU.
    #[inline]
    pub(crate) unsafe fn push(&mut self, waiter: &Waiter) {
        debug_assert!(!waiter.queued.get());
        waiter.queued.set(true);
        let new = WaiterRef(NonNull::from(waiter));
        let place = self.place(waiter.queue);
        match place.get() {
            None => {
                waiter.next.set(Some(new));
                waiter.previous.set(Some(new));
                waiter.chain.set(None);
                place.set(Some(new));
            }
            Some(first) => {
                let last = first.previous.replace(Some(new));
                waiter.next.set(Some(first));
                waiter.previous.set(last);
                if let Some(last) = last {
                    last.next.set(Some(new));
                }
            }
        }
    }

    /// Takes the first waiter of a queue off; it is the caller's to wake.
    #[inline]
    pub(crate) fn pop(&mut self, queue: usize) -> Option<ThreadRef> {
        let place = self.place(queue);
        let Some(first) = place.get() else {
            self.missed.set(self.missed.get().wrapping_add(1));
            return None;
        };
        unlink(place, first, first);
        Some(first.thread)
    }

    /// How many wakes have found nobody here: it changes while a thread looks whether it has to wait, if one comes then.
    #[inline(always)]
    pub(crate) fn missed(&self) -> u32 {
        self.missed.get()
    }

    /// Whether a thread is on one of the lists: looks at all.
    pub fn has(&self, thread: ThreadRef) -> bool {
        let firsts = self
            .chains
            .iter()
            .flat_map(|chain| core::iter::successors(chain.get(), |first| first.chain.get()));
        firsts.into_iter().any(|first| {
            let mut at = first;
            loop {
                if at.thread == thread {
                    return true;
                }
                match at.next.get() {
                    Some(next) if next != first => at = next,
                    _ => return false,
                }
            }
        })
    }

    /// Takes `waiter` off, wherever it is on its list.
    pub(crate) fn remove(&mut self, waiter: &Waiter) {
        debug_assert!(waiter.queued.get());
        let place = self.place(waiter.queue);
        if let Some(first) = place.get() {
            unlink(place, first, WaiterRef(NonNull::from(waiter)));
        }
    }
}

/// Takes `waiter` off the list whose first is `first`, linked at `place`.
#[inline]
fn unlink(place: &Cell<Option<WaiterRef>>, first: WaiterRef, waiter: WaiterRef) {
    waiter.queued.set(false);
    let (next, previous) = (waiter.next.take(), waiter.previous.take());
    if next == Some(waiter) {
        place.set(waiter.chain.get());
        return;
    }
    if let (Some(next), Some(previous)) = (next, previous) {
        next.previous.set(Some(previous));
        previous.next.set(Some(next));
        if waiter == first {
            next.chain.set(waiter.chain.get());
            place.set(Some(next));
        }
    }
}

impl Default for Waiters {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Waiters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiters").finish_non_exhaustive()
    }
}
