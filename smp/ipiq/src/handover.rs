//! How a call gets from a ring's producer to its consumer, and how many a ring holds: a variant, chosen when the kernel is built.
//!
//! A variant is one file beside this one and one line in the table below. The environment variable `DAMSELFLY_RING` names it at
//! compile time; the first of the table is the default. The kernel's rings are [`Ring`](crate::Ring), of the variant that is
//! [`Chosen`]; `tests/ring.rs` and `tests/models.rs` name those that they run.

use core::fmt::Debug;

use percpu::Crit;

use crate::{Call, CallFn, Full};

/// The parts of a ring between its ends.
#[derive(Debug)]
pub struct Parts<'a, H: Handover, const DEPTH: usize> {
    /// What lies on the producer's line.
    pub tail: &'a H::Tail,
    /// One place for each call, two of 32 bytes to a line; a power of two of them.
    pub slots: &'a [H::Slot; DEPTH],
    /// What lies on the consumer's line.
    pub head: &'a H::Head,
}

/// A variant: what the parts of a ring are, and what the ends do with them.
///
/// # Safety
/// Under the promises of its callers, that one at a time stores and asks for room, and one at a time fetches and asks whether
/// there is something, what is fetched is what was stored, in order, each once, and visible with all that came before its store.
pub unsafe trait Handover: Debug + Sized + 'static {
    /// How many calls a ring of the kernel holds: a power of two. A burst of this many needs one doorbell.
    const DEPTH: usize;
    /// What the producer's end needs.
    type Tail: Debug + Default;
    /// What holds a call.
    type Slot: Debug + Default;
    /// What the consumer's end needs.
    type Head: Debug + Default;

    /// Puts a call in, or returns it if there is no room. `seen` is told of the slot before the other side sees the call.
    ///
    /// # Safety
    /// The caller is the only producer, and the parts are a ring's.
    unsafe fn store<const DEPTH: usize>(
        ring: Parts<'_, Self, DEPTH>,
        crit: &Crit,
        call: Call,
        seen: impl FnOnce(u32),
    ) -> Result<(), Full>;

    /// Takes the oldest call out. `seen` is told of the slot and the function before the other side can use the slot again.
    ///
    /// The consumer has moved on before the call runs: a call that comes back here finds the next call, never its own slot. (An
    /// index kept in a local over the call cost DragonFly BSD three months in 2005.)
    ///
    /// # Safety
    /// The caller is the only consumer, and the parts are a ring's.
    unsafe fn fetch<const DEPTH: usize>(
        ring: Parts<'_, Self, DEPTH>,
        crit: &Crit,
        seen: impl FnOnce(u32, CallFn),
    ) -> Option<Call>;

    /// Whether a fetch would find nothing.
    ///
    /// # Safety
    /// As for [`Handover::fetch`].
    unsafe fn is_empty<const DEPTH: usize>(ring: Parts<'_, Self, DEPTH>) -> bool;

    /// Whether the call that was stored `back` calls ago has been fetched; `1 <= back <= DEPTH`.
    ///
    /// # Safety
    /// As for [`Handover::store`].
    unsafe fn is_free_behind<const DEPTH: usize>(ring: Parts<'_, Self, DEPTH>, back: usize)
    -> bool;
}

/// What stands for a slot in a timeline.
#[inline(always)]
fn name<S>(slot: &S) -> u32 {
    probe::low(core::ptr::from_ref(slot).addr())
}

percpu::variants! {
    /// The variants by name; the first is the usual one.
    DAMSELFLY_RING:
    marked: Usual,
    indexed: Indexed,
    deep: Deep,
}

pub use marked::Marked;
