//! How a free object gets back to the CPU whose slab it is of: a policy, chosen when the kernel is built.
//!
//! ```text
//!   CPU 1: free ─▶ magazine ─full─▶ its older half ┬─ own ──────────────────────────────▶ CPU 1's slabs
//!                                                  └─ CPU 0's, linked ─▶ message or CAS ─▶ CPU 0's slabs
//! ```
//! Law: whoever frees does not wait, whatever the way: it may be in any critical section. An object that is on its way is linked through its
//! first word, and nobody else's.
//!
//! A variant is one file beside this one and one line of the table below; `./x bench --set free=NAME` builds the kernel with it and
//! measures.

use crate::slab::Words;
use core::fmt::Debug;
use percpu::{CpuId, Crit, Here};

/// What a way needs of the kernel.
pub trait Road: Here + Words {
    /// The way that this kernel has.
    type Way: RemoteFree + 'static;

    /// A CPU's end of it.
    fn end(&self, cpu: CpuId) -> &Self::Way;

    /// Has a CPU put the objects of a chain into its slabs, without a hurry; false if there is no room to tell it.
    fn post(&self, crit: &Crit, owner: CpuId, first: u64) -> bool;
}

/// Free objects of one CPU, each with the next one's address in its first word; 0 in the last one's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chain {
    /// The first of them.
    pub first: u64,
    /// The last of them; the same for one.
    pub last: u64,
}

impl Chain {
    /// An object alone.
    pub fn one(words: &impl Words, object: u64) -> Self {
        words.write(object, 0);
        Self { first: object, last: object }
    }

    /// With one more, at its begin.
    pub fn and(self, words: &impl Words, object: u64) -> Self {
        words.write(object, self.first);
        Self { first: object, ..self }
    }
}

/// A way: one CPU's end of it.
pub trait RemoteFree: Debug + Sync {
    /// Whether what comes back has to be fetched; otherwise it is put into the slabs by itself.
    const IS_FETCHED: bool;

    /// Sends objects to the CPU that they are of, which is another one. This CPU's end.
    fn send<R: Road<Way = Self>>(&self, road: &R, crit: &Crit, owner: CpuId, chain: Chain);

    /// Sends what there was no room for, if there is some now. This CPU's end.
    fn retry<R: Road<Way = Self>>(&self, road: &R, crit: &Crit);

    /// Fetches objects that have come back, so many at most; returns whether more are there. This CPU's end.
    fn fetch(&self, words: &impl Words, crit: &Crit, most: usize, settle: impl FnMut(u64)) -> bool;
}

percpu::variants! {
    /// The ways by name; the first is the usual one.
    DAMSELFLY_FREE:
    message: Message,
    cas: Cas,
}
