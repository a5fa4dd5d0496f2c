//! Slots that say by themselves whether they are full: a hand-over moves one cache line.
//!
//! A slot is half a line: the words of a call, of which the function is also the mark that the slot is full. Neither side ever
//! reads the other's index: `tail` is known to the producer alone, `head` to the consumer alone. Both count in bytes from the
//! first slot, so that the address of a slot is one addition.
//!
//! | step | producer (`store`) | consumer (`fetch`) |
//! |---|---|---|
//! | 1 | function word is null, acquire | function word is not null, acquire |
//! | 2 | write the three words | read the three words |
//! | 3 | store the function, release | store null, release |
//!
//! Forbidden: words of another call than the function's; overwriting a call that was not read. Checked by the model `ring_slot`.

use core::ptr;

use percpu::sync::{AtomicPtr, Ordering, UnsafeCell};
use percpu::{Crit, chaos_point};

use super::{Handover, Parts, name};
use crate::{Call, CallFn, Full};

/// Rings of so many calls whose slots are marked.
#[derive(Debug)]
pub enum Marked<const MANY: usize> {}

/// The kernel's.
pub type Usual = Marked<32>;

/// A call, or room for one.
#[derive(Debug)]
#[repr(C)]
pub struct Slot {
    /// A `CallFn`, or null: the slot is free.
    func: AtomicPtr<()>,
    args: UnsafeCell<[usize; 3]>,
}

impl Default for Slot {
    fn default() -> Self {
        Slot { func: AtomicPtr::new(ptr::null_mut()), args: UnsafeCell::new([0; 3]) }
    }
}

// A model's cells are larger.
#[cfg(not(feature = "loom"))]
static_assertions::const_assert_eq!(size_of::<Slot>(), 32);

/// Where an end is, in bytes from the first slot.
#[derive(Debug)]
pub struct Cursor(UnsafeCell<usize>);

impl Default for Cursor {
    fn default() -> Self {
        Cursor(UnsafeCell::new(0))
    }
}

/// Returns the cursor `count` slots after another. (In a model a slot has another size; what is a mask here is a remainder there.)
#[inline(always)]
fn after<const DEPTH: usize>(at: usize, count: usize) -> usize {
    (at + count * size_of::<Slot>()) % (DEPTH * size_of::<Slot>())
}

/// Returns the slot at a cursor.
///
/// # Safety
/// `at` is 0, or came out of `after` for as many slots.
#[inline(always)]
unsafe fn slot<const DEPTH: usize>(slots: &[Slot; DEPTH], at: usize) -> &Slot {
    // SAFETY: `at` is a whole number of slots, and below the end of the array.
    let slot = unsafe { slots.as_ptr().byte_add(at) };
    // SAFETY: it is in the array.
    unsafe { &*slot }
}

// SAFETY: 1. a slot's words are written only while its function is null and read only while it is not, and each change of the
// function is a release that the other side acquires; 2. `tail` and `head` move by one slot with each call, so the calls keep their order.
unsafe impl<const MANY: usize> Handover for Marked<MANY> {
    const DEPTH: usize = MANY;
    type Tail = Cursor;
    type Slot = Slot;
    type Head = Cursor;

    #[inline(always)]
    unsafe fn store<const DEPTH: usize>(
        ring: Parts<'_, Self, DEPTH>,
        _crit: &Crit,
        call: Call,
        seen: impl FnOnce(u32),
    ) -> Result<(), Full> {
        ring.tail.0.with_mut(|tail| {
            // SAFETY: only the producer touches `tail`, and the caller is it.
            let at = unsafe { *tail };
            // SAFETY: `tail` is 0 at first, and then what `after` returns.
            let slot = unsafe { slot(ring.slots, at) };
            // Pairs with: `fetch`, the store of null, release: its reads of the words are over.
            if !slot.func.load(Ordering::Acquire).is_null() {
                return Err(Full(call));
            }
            chaos_point();
            // By word, as in `fetch`.
            let [a, b, c] = call.args;
            slot.args.with_mut(|args| {
                // SAFETY: the slot is free, so the words are the producer's.
                unsafe { *args = [a, b, c] }
            });
            // Before the other side can say that it ran.
            seen(name(slot));
            // Pairs with: `fetch`, the load of the function, acquire.
            slot.func.store(call.func as *mut (), Ordering::Release);
            // SAFETY: as above.
            unsafe { *tail = after::<DEPTH>(at, 1) };
            Ok(())
        })
    }

    #[inline(always)]
    unsafe fn fetch<const DEPTH: usize>(
        ring: Parts<'_, Self, DEPTH>,
        _crit: &Crit,
        seen: impl FnOnce(u32, CallFn),
    ) -> Option<Call> {
        ring.head.0.with_mut(|head| {
            // SAFETY: only the consumer touches `head`, and the caller is it.
            let at = unsafe { *head };
            // SAFETY: `head` is 0 at first, and then what `after` returns.
            let slot = unsafe { slot(ring.slots, at) };
            // Pairs with: `store`, the store of the function, release.
            let func = slot.func.load(Ordering::Acquire);
            if func.is_null() {
                return None;
            }
            // SAFETY: 1. what is not null was stored by `store`, from a `CallFn`; 2. a function pointer has the size of a pointer.
            let func = unsafe { core::mem::transmute::<*mut (), CallFn>(func) };
            // By word, so that they stay in registers until the caller has a place for them.
            let [a, b, c] = slot.args.with(|args| {
                // SAFETY: the slot is full, so the words are the consumer's.
                unsafe { *args }
            });
            chaos_point();
            seen(name(slot), func);
            // Pairs with: `store`, the load of the function, acquire.
            slot.func.store(ptr::null_mut(), Ordering::Release);
            // SAFETY: as above.
            unsafe { *head = after::<DEPTH>(at, 1) };
            Some(Call { func, args: [a, b, c] })
        })
    }

    #[inline(always)]
    unsafe fn is_empty<const DEPTH: usize>(ring: Parts<'_, Self, DEPTH>) -> bool {
        let head = ring.head.0.with(|head| {
            // SAFETY: only the consumer touches `head`, and the caller is it.
            unsafe { *head }
        });
        // SAFETY: `head` is 0 at first, and then what `after` returns.
        let slot = unsafe { slot(ring.slots, head) };
        // Pairs with: `store`, the store of the function, release.
        slot.func.load(Ordering::Acquire).is_null()
    }

    #[inline(always)]
    unsafe fn is_free_behind<const DEPTH: usize>(
        ring: Parts<'_, Self, DEPTH>,
        back: usize,
    ) -> bool {
        let tail = ring.tail.0.with(|tail| {
            // SAFETY: only the producer touches `tail`, and the caller is it.
            unsafe { *tail }
        });
        // SAFETY: `after` returned it.
        let slot = unsafe { slot(ring.slots, after::<DEPTH>(tail, DEPTH - back)) };
        // Pairs with: `fetch`, the store of null, release.
        slot.func.load(Ordering::Acquire).is_null()
    }
}

/// What DragonFly BSD did in 2005 and before; see `uncured.rs`.
#[cfg(feature = "uncured-2005")]
impl<const MANY: usize> Marked<MANY> {
    /// Takes out all that there is now, one after the other, by an index and copies in locals.
    ///
    /// # Safety
    /// As for [`Handover::fetch`].
    pub(crate) unsafe fn fetch_copies<const DEPTH: usize>(
        ring: Parts<'_, Self, DEPTH>,
        mut run: impl FnMut(Call),
    ) {
        // SAFETY: only the consumer touches `head`, and the caller is it.
        let first = ring.head.0.with(|head| unsafe { *head });
        let copies: [Option<Call>; DEPTH] = core::array::from_fn(|place| {
            // SAFETY: `after` returned it.
            let slot = unsafe { slot(ring.slots, after::<DEPTH>(first, place)) };
            let func = slot.func.load(Ordering::Acquire);
            // SAFETY: null is none, what is not null was stored by `store`, from a `CallFn`.
            let func = unsafe { core::mem::transmute::<*mut (), Option<CallFn>>(func) }?;
            // SAFETY: the slot is full, so the words are the consumer's.
            Some(Call { func, args: slot.args.with(|args| unsafe { *args }) })
        });
        for (place, call) in copies.into_iter().map_while(|call| call).enumerate() {
            // SAFETY: `after` returned it.
            let slot = unsafe { slot(ring.slots, after::<DEPTH>(first, place)) };
            slot.func.store(ptr::null_mut(), Ordering::Release);
            // SAFETY: only the consumer touches `head`, and the caller is it.
            ring.head.0.with_mut(|head| unsafe { *head = after::<DEPTH>(first, place + 1) });
            run(call);
        }
    }
}
