//! Two indices that each side shows to the other, as in most rings elsewhere (DragonFly BSD's among them), to compare with.
//!
//! Each side keeps what it last saw of the other's index, and looks again only when that says full or empty. So a call that meets a
//! consumer who waits moves two lines: the slot's, and that of the producer's index.
//!
//! | step | producer (`store`) | consumer (`fetch`) |
//! |---|---|---|
//! | 1 | `head` is less than a ring behind: as last seen, else loaded, acquire | `tail` is ahead: as last seen, else loaded, acquire |
//! | 2 | write the call | read the call |
//! | 3 | store `tail`, release | store `head`, release |
//!
//! Forbidden, and checked, as in `marked.rs`.

use core::mem::MaybeUninit;

use percpu::sync::{AtomicUsize, Ordering, UnsafeCell};
use percpu::{Crit, chaos_point};

use super::{Handover, Parts, name};
use crate::{Call, CallFn, Full};

/// Rings whose ends show their indices.
#[derive(Debug)]
pub enum Indexed {}

/// A call, while `head <= place < tail`.
#[derive(Debug)]
pub struct Slot(UnsafeCell<MaybeUninit<Call>>);

impl Default for Slot {
    fn default() -> Self {
        Slot(UnsafeCell::new(MaybeUninit::uninit()))
    }
}

/// An end's index, and what it last saw of the other's. Indices count calls and wrap; a place is what remains by the depth.
#[derive(Debug)]
pub struct End {
    mine: AtomicUsize,
    theirs: UnsafeCell<usize>,
}

impl Default for End {
    fn default() -> Self {
        End { mine: AtomicUsize::new(0), theirs: UnsafeCell::new(0) }
    }
}

impl End {
    /// The other's index as last seen; the one of `other` if that is `stale`.
    ///
    /// # Safety
    /// The caller is the one at this end.
    #[inline(always)]
    unsafe fn theirs(&self, other: &End, stale: impl Fn(usize) -> bool) -> usize {
        self.theirs.with_mut(|seen| {
            // SAFETY: one at a time is at this end, and the caller is it.
            let last = unsafe { *seen };
            if !stale(last) {
                return last;
            }
            // Pairs with: the store of `mine` in `store` or `fetch`, release.
            let now = other.mine.load(Ordering::Acquire);
            // SAFETY: as above.
            unsafe { *seen = now };
            now
        })
    }
}

// SAFETY: 1. a slot is written only while it lies outside `head..tail` and read only while it lies inside, and each change of an
// index is a release that the other side acquires before it relies on it; 2. both indices move by one, so the calls keep their order.
unsafe impl Handover for Indexed {
    const DEPTH: usize = 32;
    type Tail = End;
    type Slot = Slot;
    type Head = End;

    #[inline(always)]
    unsafe fn store<const DEPTH: usize>(
        ring: Parts<'_, Self, DEPTH>,
        _crit: &Crit,
        call: Call,
        seen: impl FnOnce(u32),
    ) -> Result<(), Full> {
        // The producer alone writes it.
        let tail = ring.tail.mine.load(Ordering::Relaxed);
        // SAFETY: the caller is the producer.
        let head = unsafe { ring.tail.theirs(ring.head, |head| tail.wrapping_sub(head) == DEPTH) };
        if tail.wrapping_sub(head) == DEPTH {
            return Err(Full(call));
        }
        chaos_point();
        let slot = &ring.slots[tail % DEPTH];
        slot.0.with_mut(|place| {
            // SAFETY: the place is not between the indices, so it is the producer's.
            unsafe { (*place).write(call) };
        });
        // Before the other side can say that it ran.
        seen(name(slot));
        // Pairs with: `End::theirs`, acquire.
        ring.tail.mine.store(tail.wrapping_add(1), Ordering::Release);
        Ok(())
    }

    #[inline(always)]
    unsafe fn fetch<const DEPTH: usize>(
        ring: Parts<'_, Self, DEPTH>,
        _crit: &Crit,
        seen: impl FnOnce(u32, CallFn),
    ) -> Option<Call> {
        // The consumer alone writes it.
        let head = ring.head.mine.load(Ordering::Relaxed);
        // SAFETY: the caller is the consumer.
        let tail = unsafe { ring.head.theirs(ring.tail, |tail| tail == head) };
        if tail == head {
            return None;
        }
        let slot = &ring.slots[head % DEPTH];
        let call = slot.0.with(|place| {
            // SAFETY: the place is between the indices: the producer wrote it, and it is the consumer's.
            let written = unsafe { &*place };
            // SAFETY: as above.
            unsafe { written.assume_init_read() }
        });
        chaos_point();
        seen(name(slot), call.func);
        // Pairs with: `End::theirs`, acquire.
        ring.head.mine.store(head.wrapping_add(1), Ordering::Release);
        Some(call)
    }

    #[inline(always)]
    unsafe fn is_empty<const DEPTH: usize>(ring: Parts<'_, Self, DEPTH>) -> bool {
        // Pairs with: `store`, release.
        ring.tail.mine.load(Ordering::Acquire) == ring.head.mine.load(Ordering::Relaxed)
    }

    #[inline(always)]
    unsafe fn is_free_behind<const DEPTH: usize>(
        ring: Parts<'_, Self, DEPTH>,
        back: usize,
    ) -> bool {
        let tail = ring.tail.mine.load(Ordering::Relaxed);
        // SAFETY: the caller is the producer.
        let head = unsafe { ring.tail.theirs(ring.head, |head| tail.wrapping_sub(head) >= back) };
        tail.wrapping_sub(head) < back
    }
}
