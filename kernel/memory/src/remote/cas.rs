//! By compare and swap, onto a list that the owner takes as a whole when it looks.
//!
//! | step | who frees | the owner |
//! |---|---|---|
//! | 1 | links its chain to the list's first object | |
//! | 2 | makes its own first object the list's, if that is the same still; release | takes the list, leaves none; acquire |
//! | 3 | | reads the links |
//!
//! Forbidden: an object that is lost or taken twice. Only a whole list is ever taken, so that the same object is first again says that
//! what hangs from it is right, too.

use super::{Chain, RemoteFree, Road};
use crate::slab::Words;
use percpu::sync::{AtomicU64, Ordering};
use percpu::{CpuId, Crit};

/// What has come back to a CPU.
#[derive(Debug)]
pub struct Cas {
    /// The first object of a list to which any CPU adds.
    inbox: AtomicU64,
    /// The first of those that were taken out and not fetched yet. Own CPU only.
    taken: AtomicU64,
}

impl Cas {
    percpu::maybe_const! {
        /// Nothing has.
        pub fn new() -> Self {
            Self { inbox: AtomicU64::new(0), taken: AtomicU64::new(0) }
        }
    }
}

impl Default for Cas {
    fn default() -> Self {
        Self::new()
    }
}

impl RemoteFree for Cas {
    const IS_FETCHED: bool = true;

    fn send<R: Road<Way = Self>>(&self, road: &R, _: &Crit, owner: CpuId, chain: Chain) {
        let inbox = &road.end(owner).inbox;
        let mut first = inbox.load(Ordering::Relaxed);
        loop {
            road.write(chain.last, first);
            // Pairs with: `fetch`, acquire.
            let pushed = inbox.compare_exchange_weak(
                first,
                chain.first,
                Ordering::Release,
                Ordering::Relaxed,
            );
            match pushed {
                Ok(_) => return,
                Err(now) => first = now,
            }
        }
    }

    fn retry<R: Road<Way = Self>>(&self, _: &R, _: &Crit) {}

    fn fetch(
        &self,
        words: &impl Words,
        _: &Crit,
        most: usize,
        mut settle: impl FnMut(u64),
    ) -> bool {
        let mut object = self.taken.load(Ordering::Relaxed);
        if object == 0 {
            if self.inbox.load(Ordering::Relaxed) == 0 {
                return false;
            }
            // Pairs with: `send`, release.
            object = self.inbox.swap(0, Ordering::Acquire);
        }
        for _ in 0..most {
            if object == 0 {
                break;
            }
            let next = words.read(object);
            settle(object);
            object = next;
        }
        self.taken.store(object, Ordering::Relaxed);
        object != 0 || self.inbox.load(Ordering::Relaxed) != 0
    }
}
