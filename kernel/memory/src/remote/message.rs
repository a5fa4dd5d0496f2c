//! By a passive message to the owner, which alone touches what is its own.
//!
//! A chain that there is no room for in the ring stays here, and goes with the next one for the same CPU, or when this CPU next exchanges
//! objects with its slabs.

use super::{Chain, RemoteFree, Road};
use crate::slab::Words;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use percpu::{CpuId, Crit, MAX_CPUS};

/// What a CPU could not tell the others yet: the first object of each one's, or 0. Own CPU only.
#[derive(Debug)]
pub struct Message {
    unsent: [AtomicU64; MAX_CPUS],
    /// Whether there may be any.
    any: AtomicBool,
}

impl Message {
    /// Nothing to tell.
    pub const fn new() -> Self {
        Self { unsent: [const { AtomicU64::new(0) }; MAX_CPUS], any: AtomicBool::new(false) }
    }
}

impl Default for Message {
    fn default() -> Self {
        Self::new()
    }
}

impl RemoteFree for Message {
    const IS_FETCHED: bool = false;

    fn send<R: Road<Way = Self>>(&self, road: &R, crit: &Crit, owner: CpuId, chain: Chain) {
        let unsent = &self.unsent[owner.index()];
        road.write(chain.last, unsent.load(Relaxed));
        let is_sent = road.post(crit, owner, chain.first);
        unsent.store(if is_sent { 0 } else { chain.first }, Relaxed);
        if !is_sent {
            self.any.store(true, Relaxed);
        }
    }

    fn retry<R: Road<Way = Self>>(&self, road: &R, crit: &Crit) {
        if !self.any.load(Relaxed) {
            return;
        }
        let mut any = false;
        for (owner, unsent) in self.unsent.iter().enumerate() {
            let first = unsent.load(Relaxed);
            if first != 0 && road.post(crit, CpuId::at(owner), first) {
                unsent.store(0, Relaxed);
            }
            any |= unsent.load(Relaxed) != 0;
        }
        self.any.store(any, Relaxed);
    }

    fn fetch(&self, _: &impl Words, _: &Crit, _: usize, _: impl FnMut(u64)) -> bool {
        false
    }
}
