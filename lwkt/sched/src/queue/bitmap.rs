//! The default policy: 32 FIFOs and a word that tells which of them count.

use core::num::NonZeroU32;

use super::RunQueue;
use crate::{Priority, ThreadRef, fifo::Fifo};

/// The bit of the idle thread, which is always set: the word is never zero, and the scan needs no test for that.
const IDLE: NonZeroU32 = NonZeroU32::MIN;

/// A FIFO per priority; every operation but `remove` takes the same few instructions for any number of threads.
pub struct Bitmap {
    ready: NonZeroU32,
    fifos: [Fifo; Priority::COUNT],
}

impl Bitmap {
    #[inline]
    fn add(&mut self, thread: ThreadRef, to: impl FnOnce(&mut Fifo)) {
        let at = thread.priority.get().index();
        let bit = 1 << at;
        if self.ready.get() & bit == 0 {
            self.ready |= bit;
            self.fifos[at] = Fifo::of(thread);
        } else {
            to(&mut self.fifos[at]);
        }
    }

    #[inline]
    fn clear(&mut self, at: usize) {
        self.ready = IDLE | (self.ready.get() & !(1 << at));
    }

    #[inline]
    fn highest(&self) -> usize {
        self.ready.ilog2() as usize
    }
}

impl RunQueue for Bitmap {
    fn new(idle: ThreadRef, _: fn() -> u64) -> Self {
        let mut fifos = [Fifo::vacant(idle); Priority::COUNT];
        fifos[Priority::IDLE.index()] = Fifo::of(idle);
        Self { ready: IDLE, fifos }
    }

    #[inline]
    fn push(&mut self, thread: ThreadRef) {
        self.add(thread, |fifo| fifo.push(thread));
    }

    fn push_first(&mut self, thread: ThreadRef) {
        self.add(thread, |fifo| fifo.push_head(thread));
    }

    #[inline]
    fn rotate(&mut self, running: ThreadRef) {
        self.fifos[running.priority.get().index()].rotate(running);
    }

    #[inline]
    fn pop(&mut self, running: ThreadRef) {
        let at = running.priority.get().index();
        if self.fifos[at].pop(running) {
            self.clear(at);
        }
    }

    fn remove(&mut self, thread: ThreadRef) {
        let at = thread.priority.get().index();
        match self.fifos[at].remove(thread) {
            Some(true) => self.clear(at),
            Some(false) => {}
            None => debug_assert!(false, "{thread:?} is not in the queue of its priority"),
        }
    }

    #[inline]
    fn best(&self) -> ThreadRef {
        self.fifos[self.highest()].head()
    }

    #[inline]
    fn contended(&self, running: ThreadRef) -> bool {
        self.highest() != running.priority.get().index() || running.next.get() != running
    }

    fn visit(&self, mut visit: impl FnMut(ThreadRef)) {
        for at in (0..Priority::COUNT).rev().filter(|at| self.ready.get() & (1 << at) != 0) {
            self.fifos[at].iter().for_each(&mut visit);
        }
    }

    fn sound(&self) -> bool {
        (0..Priority::COUNT)
            .filter(|at| self.ready.get() & (1 << at) != 0)
            .all(|at| self.fifos[at].iter().all(|thread| thread.priority.get().index() == at))
    }
}
