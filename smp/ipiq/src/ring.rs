//! The ring of one ordered CPU pair.

use core::ptr;

use percpu::sync::{AtomicPtr, AtomicU64, Ordering, UnsafeCell};
use percpu::{CpuId, Crit};
use static_assertions::{assert_impl_all, assert_not_impl_any};

use crate::handover::{Chosen, Handover, Parts};
use crate::{Call, Full};

/// How many calls a ring of the kernel holds. A burst of this many needs one doorbell.
pub const RING_DEPTH: usize = Chosen::DEPTH;

/// A ring of the kernel.
pub type Ring<const DEPTH: usize = RING_DEPTH> = RingBy<Chosen, DEPTH>;

/// A queue with one producer and one consumer, without locked instructions. How it hands over is its variant's ([`Handover`]).
#[derive(Debug)]
#[repr(C, align(128))]
pub struct RingBy<H: Handover, const DEPTH: usize> {
    tail: H::Tail,
    /// What the source CPU notes of a ring that is not, or not yet, between two CPUs.
    link: UnsafeCell<Link<H, DEPTH>>,
    /// What the source CPU leaves in its target's doorbell. It alone reads and writes it.
    mark: AtomicU64,
    slots: Slots<H, DEPTH>,
    head: Head<H, DEPTH>,
}

/// The place of a ring in its CPU's reserve or outbox.
#[derive(Debug)]
pub(crate) struct Link<H: Handover, const DEPTH: usize> {
    pub next: *mut RingBy<H, DEPTH>,
    /// For whom the calls in it are, in the outbox.
    pub to: CpuId,
}

#[derive(Debug)]
#[repr(C, align(64))]
struct Slots<H: Handover, const DEPTH: usize>([H::Slot; DEPTH]);

#[derive(Debug)]
#[repr(C, align(64))]
struct Head<H: Handover, const DEPTH: usize> {
    at: H::Head,
    /// The next ring that leads to the same CPU under the same mark, if there is one.
    sharer: AtomicPtr<RingBy<H, DEPTH>>,
}

// A line for each end, no more. A model's cells are larger.
#[cfg(not(feature = "loom"))]
static_assertions::const_assert_eq!(size_of::<Ring>(), 64 + 32 * RING_DEPTH + 64);

// SAFETY: 1. `tail` and `link` are touched by the one producer, `head` by the one consumer (`push`, `pop`);
// 2. the slots are the variant's, which keeps them apart.
unsafe impl<H: Handover, const DEPTH: usize> Sync for RingBy<H, DEPTH> {}
// SAFETY: the only pointer in it is the link, which says nothing about the thread.
unsafe impl<H: Handover, const DEPTH: usize> Send for RingBy<H, DEPTH> {}

impl<H: Handover, const DEPTH: usize> Default for RingBy<H, DEPTH> {
    fn default() -> Self {
        RingBy::new()
    }
}

impl<H: Handover, const DEPTH: usize> RingBy<H, DEPTH> {
    /// Makes an empty ring.
    pub fn new() -> Self {
        const { assert!(DEPTH.is_power_of_two(), "a ring's depth is a power of two") }
        RingBy {
            tail: H::Tail::default(),
            link: UnsafeCell::new(Link { next: ptr::null_mut(), to: CpuId::BOOT }),
            mark: AtomicU64::new(0),
            slots: Slots(core::array::from_fn(|_| H::Slot::default())),
            head: Head { at: H::Head::default(), sharer: AtomicPtr::new(ptr::null_mut()) },
        }
    }

    /// What its variant works on.
    #[inline(always)]
    fn parts(&self) -> Parts<'_, H, DEPTH> {
        Parts { tail: &self.tail, slots: &self.slots.0, head: &self.head.at }
    }

    /// Returns the two ends.
    pub fn split(&mut self) -> (Producer<'_, DEPTH, H>, Consumer<'_, DEPTH, H>) {
        (Producer(self), Consumer(self))
    }

    /// What its source leaves in its target's doorbell.
    #[inline(always)]
    pub(crate) fn mark(&self) -> u64 {
        self.mark.load(Ordering::Relaxed)
    }

    /// Says so, once, before anything is sent. Source only.
    pub(crate) fn set_mark(&self, mark: u64) {
        self.mark.store(mark, Ordering::Relaxed);
    }

    /// The place of the next ring under the same mark.
    pub(crate) fn sharer(&self) -> &AtomicPtr<RingBy<H, DEPTH>> {
        &self.head.sharer
    }

    /// Puts a call in, or returns it if there is no room.
    ///
    /// # Safety
    /// The caller is the only producer: no two of `push`, `has_room`, `is_quarter_full` run at once.
    #[inline(always)]
    pub unsafe fn push(&self, crit: &Crit, call: Call) -> Result<(), Full> {
        let sent = |slot| probe::sent(slot, call.func as usize as u64);
        // SAFETY: the caller's promise.
        unsafe { self.store(crit, call, sent) }
    }

    /// As `push`; `seen` is told of the slot before the other side sees it.
    ///
    /// # Safety
    /// As for [`RingBy::push`].
    #[inline(always)]
    pub(crate) unsafe fn store(
        &self,
        crit: &Crit,
        call: Call,
        seen: impl FnOnce(u32),
    ) -> Result<(), Full> {
        // SAFETY: the caller's promise; the parts are this ring's.
        unsafe { H::store(self.parts(), crit, call, seen) }
    }

    /// Takes the oldest call out.
    ///
    /// # Safety
    /// The caller is the only consumer: no two `pop` run at once.
    #[inline(always)]
    pub unsafe fn pop(&self, crit: &Crit) -> Option<Call> {
        let ran = |slot, func| probe::ran(slot, func as usize as u64);
        // SAFETY: the caller's promise; the parts are this ring's.
        unsafe { H::fetch(self.parts(), crit, ran) }
    }

    /// As `pop`; nothing is noted of it.
    ///
    /// # Safety
    /// As for [`RingBy::pop`].
    #[inline(always)]
    pub(crate) unsafe fn fetch(&self, crit: &Crit) -> Option<Call> {
        // SAFETY: the caller's promise; the parts are this ring's.
        unsafe { H::fetch(self.parts(), crit, |_, _| ()) }
    }

    /// Returns whether a pop would find nothing.
    ///
    /// # Safety
    /// As for [`RingBy::pop`].
    #[inline]
    pub unsafe fn is_empty(&self, _crit: &Crit) -> bool {
        // SAFETY: the caller's promise; the parts are this ring's.
        unsafe { H::is_empty(self.parts()) }
    }

    /// Returns whether a push would find room.
    ///
    /// # Safety
    /// As for [`RingBy::push`].
    #[inline]
    pub unsafe fn has_room(&self, _crit: &Crit) -> bool {
        // SAFETY: the caller's promise; the parts are this ring's.
        unsafe { H::is_free_behind(self.parts(), DEPTH) }
    }

    /// Returns whether a quarter of the slots, or more, wait to be read.
    ///
    /// # Safety
    /// As for [`RingBy::push`].
    #[inline]
    pub unsafe fn is_quarter_full(&self, _crit: &Crit) -> bool {
        // SAFETY: the caller's promise; the parts are this ring's.
        unsafe { !H::is_free_behind(self.parts(), DEPTH.div_ceil(4)) }
    }

    /// Lends the link to `f`.
    ///
    /// # Safety
    /// The caller is the ring's source CPU, in a critical section, and `f` does not lend it again.
    pub(crate) unsafe fn link<R>(&self, f: impl FnOnce(&mut Link<H, DEPTH>) -> R) -> R {
        self.link.with_mut(|link| {
            // SAFETY: the source CPU alone touches it, one at a time.
            f(unsafe { &mut *link })
        })
    }
}

/// What DragonFly BSD did in 2005 and before; see `uncured.rs`.
#[cfg(feature = "uncured-2005")]
impl<const MANY: usize, const DEPTH: usize> RingBy<crate::handover::Marked<MANY>, DEPTH> {
    /// Takes out all that there is now, one after the other, by an index and copies in locals.
    ///
    /// # Safety
    /// As for [`RingBy::pop`].
    pub(crate) unsafe fn pop_copies(&self, _crit: &Crit, run: impl FnMut(Call)) {
        // SAFETY: the caller's promise; the parts are this ring's.
        unsafe { crate::handover::Marked::fetch_copies(self.parts(), run) }
    }
}

/// The producing end of a ring that is used by itself.
#[derive(Debug)]
pub struct Producer<'a, const DEPTH: usize = RING_DEPTH, H: Handover = Chosen>(
    &'a RingBy<H, DEPTH>,
);

impl<const DEPTH: usize, H: Handover> Producer<'_, DEPTH, H> {
    /// Puts a call in, or returns it if there is no room.
    #[inline(always)]
    pub fn push(&mut self, crit: &Crit, call: Call) -> Result<(), Full> {
        // SAFETY: `split` made one producer, and it is borrowed mutably.
        unsafe { self.0.push(crit, call) }
    }

    /// Returns whether a push would find room.
    pub fn has_room(&mut self, crit: &Crit) -> bool {
        // SAFETY: `split` made one producer, and it is borrowed mutably.
        unsafe { self.0.has_room(crit) }
    }

    /// Returns whether a quarter of the slots, or more, wait to be read.
    pub fn is_quarter_full(&mut self, crit: &Crit) -> bool {
        // SAFETY: `split` made one producer, and it is borrowed mutably.
        unsafe { self.0.is_quarter_full(crit) }
    }
}

/// The consuming end of a ring that is used by itself.
#[derive(Debug)]
pub struct Consumer<'a, const DEPTH: usize = RING_DEPTH, H: Handover = Chosen>(
    &'a RingBy<H, DEPTH>,
);

// An end may go to another CPU, and there is one of each.
assert_impl_all!(Producer<'static>: Send);
assert_impl_all!(Consumer<'static>: Send);
assert_not_impl_any!(Producer<'static>: Clone);
assert_not_impl_any!(Consumer<'static>: Clone);

impl<const DEPTH: usize, H: Handover> Consumer<'_, DEPTH, H> {
    /// Takes the oldest call out.
    #[inline(always)]
    pub fn pop(&mut self, crit: &Crit) -> Option<Call> {
        // SAFETY: `split` made one consumer, and it is borrowed mutably.
        unsafe { self.0.pop(crit) }
    }
}
