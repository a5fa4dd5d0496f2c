//! The ring of one ordered CPU pair.

use core::ptr;

use percpu::sync::{AtomicPtr, AtomicU64, Ordering, UnsafeCell};
use percpu::{CpuId, Crit, array_of, chaos_point, maybe_const};
use static_assertions::{assert_impl_all, assert_not_impl_any};

use crate::{Call, CallFn, Full};

/// How many calls a ring of the kernel holds. A burst of this many needs one doorbell.
pub const RING_DEPTH: usize = 32;

/// A queue with one producer and one consumer, without locked instructions.
///
/// A slot is half a cache line: the words of a call, of which the function is also the mark that the slot is full.
/// So a hand-over moves one line, and neither side ever reads the other's index:
/// `tail` is known to the producer alone, `head` to the consumer alone.
/// Both count in bytes from the first slot, so that the address of a slot is one addition.
///
/// | step | producer (`push`) | consumer (`pop`) |
/// |---|---|---|
/// | 1 | function word is null, acquire | function word is not null, acquire |
/// | 2 | write the three words | read the three words |
/// | 3 | store the function, release | store null, release |
///
/// Forbidden: words of another call than the function's; overwriting a call that was not read.
/// Checked by the model `ring_slot`.
///
/// The consumer has moved on before the call runs: a call that comes back here finds the next call, never its own
/// slot. (An index kept in a local over the call cost DragonFly BSD three months in 2005.)
#[derive(Debug)]
#[repr(C, align(128))]
pub struct Ring<const DEPTH: usize = RING_DEPTH> {
    tail: UnsafeCell<usize>,
    /// What the source CPU notes of a ring that is not, or not yet, between two CPUs.
    link: UnsafeCell<Link<DEPTH>>,
    /// What the source CPU leaves in its target's doorbell. It alone reads and writes it.
    mark: AtomicU64,
    slots: Slots<DEPTH>,
    head: Head<DEPTH>,
}

/// The place of a ring in its CPU's reserve or outbox.
#[derive(Debug)]
pub(crate) struct Link<const DEPTH: usize> {
    pub next: *mut Ring<DEPTH>,
    /// For whom the calls in it are, in the outbox.
    pub to: CpuId,
}

#[derive(Debug)]
#[repr(C, align(64))]
struct Slots<const DEPTH: usize>([Slot; DEPTH]);

#[derive(Debug)]
#[repr(C, align(64))]
struct Head<const DEPTH: usize> {
    at: UnsafeCell<usize>,
    /// The next ring that leads to the same CPU under the same mark, if there is one.
    sharer: AtomicPtr<Ring<DEPTH>>,
}

#[derive(Debug)]
#[repr(C)]
struct Slot {
    /// A `CallFn`, or null: the slot is free.
    func: AtomicPtr<()>,
    args: UnsafeCell<[usize; 3]>,
}

impl Slot {
    /// What stands for it in a timeline.
    #[inline(always)]
    fn name(&self) -> u32 {
        probe::low(ptr::from_ref(self).addr())
    }
}

// Two slots to a line; a line for each end, no more. A model's cells are larger.
#[cfg(not(feature = "loom"))]
static_assertions::const_assert_eq!(size_of::<Slot>(), 32);
#[cfg(not(feature = "loom"))]
static_assertions::const_assert_eq!(size_of::<Ring>(), 64 + 32 * RING_DEPTH + 64);

// SAFETY: 1. `tail` and `link` are touched by the one producer, `head` by the one consumer (`push`, `pop`);
// 2. a slot's words are written only while its function is null and read only while it is not, and
// each change of the function is a release that the other side acquires.
unsafe impl<const DEPTH: usize> Sync for Ring<DEPTH> {}
// SAFETY: the only pointer in it is the link, which says nothing about the thread.
unsafe impl<const DEPTH: usize> Send for Ring<DEPTH> {}

impl<const DEPTH: usize> Default for Ring<DEPTH> {
    fn default() -> Self {
        Ring::new()
    }
}

impl<const DEPTH: usize> Ring<DEPTH> {
    /// Where the last slot ends. (In a model a slot has another size; what is a mask here is a remainder there.)
    const END: usize = {
        assert!(DEPTH.is_power_of_two(), "a ring's depth is a power of two");
        DEPTH * size_of::<Slot>()
    };

    /// Returns the slot at a cursor.
    ///
    /// # Safety
    /// `at` is 0, or came out of `after`.
    #[inline(always)]
    unsafe fn slot(&self, at: usize) -> &Slot {
        // SAFETY: `at` is a whole number of slots, and below `END`.
        let slot = unsafe { self.slots.0.as_ptr().byte_add(at) };
        // SAFETY: it is in the array.
        unsafe { &*slot }
    }

    /// Returns the cursor `count` slots after another.
    #[inline(always)]
    fn after(at: usize, count: usize) -> usize {
        (at + count * size_of::<Slot>()) % Self::END
    }

    maybe_const! {
        /// Makes an empty ring.
        pub fn new() -> Self {
            Ring {
                tail: UnsafeCell::new(0),
                link: UnsafeCell::new(Link { next: ptr::null_mut(), to: CpuId::BOOT }),
                mark: AtomicU64::new(0),
                slots: Slots(array_of![
                    Slot { func: AtomicPtr::new(ptr::null_mut()), args: UnsafeCell::new([0; 3]) }; DEPTH
                ]),
                head: Head { at: UnsafeCell::new(0), sharer: AtomicPtr::new(ptr::null_mut()) },
            }
        }
    }

    /// Returns the two ends.
    pub fn split(&mut self) -> (Producer<'_, DEPTH>, Consumer<'_, DEPTH>) {
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
    pub(crate) fn sharer(&self) -> &AtomicPtr<Ring<DEPTH>> {
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
    /// As for [`Ring::push`].
    #[inline(always)]
    pub(crate) unsafe fn store(
        &self,
        _crit: &Crit,
        call: Call,
        seen: impl FnOnce(u32),
    ) -> Result<(), Full> {
        self.tail.with_mut(|tail| {
            // SAFETY: only the producer touches `tail`, and the caller is it.
            let at = unsafe { *tail };
            // SAFETY: `tail` is 0 at first, and then what `after` returns.
            let slot = unsafe { self.slot(at) };
            // Pairs with: `pop`, the store of null, release: its reads of the words are over.
            if !slot.func.load(Ordering::Acquire).is_null() {
                return Err(Full(call));
            }
            chaos_point();
            // By word, as in `pop`.
            let [a, b, c] = call.args;
            slot.args.with_mut(|args| {
                // SAFETY: the slot is free, so the words are the producer's.
                unsafe { *args = [a, b, c] }
            });
            // Before the other side can say that it ran.
            seen(slot.name());
            // Pairs with: `pop`, the load of the function, acquire.
            slot.func.store(call.func as *mut (), Ordering::Release);
            // SAFETY: as above.
            unsafe { *tail = Self::after(at, 1) };
            Ok(())
        })
    }

    /// Takes the oldest call out.
    ///
    /// # Safety
    /// The caller is the only consumer: no two `pop` run at once.
    #[inline(always)]
    pub unsafe fn pop(&self, crit: &Crit) -> Option<Call> {
        let ran = |slot, func: *mut ()| probe::ran(slot, func.expose_provenance() as u64);
        // SAFETY: the caller's promise.
        unsafe { self.fetch(crit, ran) }
    }

    /// As `pop`; `seen` is told of the slot before the other side can use it again.
    ///
    /// # Safety
    /// As for [`Ring::pop`].
    #[inline(always)]
    pub(crate) unsafe fn fetch(
        &self,
        _crit: &Crit,
        seen: impl FnOnce(u32, *mut ()),
    ) -> Option<Call> {
        self.head.at.with_mut(|head| {
            // SAFETY: only the consumer touches `head`, and the caller is it.
            let at = unsafe { *head };
            // SAFETY: `head` is 0 at first, and then what `after` returns.
            let slot = unsafe { self.slot(at) };
            // Pairs with: `push`, the store of the function, release.
            let func = slot.func.load(Ordering::Acquire);
            if func.is_null() {
                return None;
            }
            // By word, so that they stay in registers until the caller has a place for them.
            let [a, b, c] = slot.args.with(|args| {
                // SAFETY: the slot is full, so the words are the consumer's.
                unsafe { *args }
            });
            chaos_point();
            seen(slot.name(), func);
            // Pairs with: `push`, the load of the function, acquire.
            slot.func.store(ptr::null_mut(), Ordering::Release);
            // SAFETY: as above.
            unsafe { *head = Self::after(at, 1) };
            // SAFETY: 1. what is not null was stored by `push`, from a `CallFn`; 2. a function pointer has the size of a pointer.
            let func = unsafe { core::mem::transmute::<*mut (), CallFn>(func) };
            Some(Call { func, args: [a, b, c] })
        })
    }

    /// Returns whether a pop would find nothing.
    ///
    /// # Safety
    /// As for [`Ring::pop`].
    #[inline]
    pub unsafe fn is_empty(&self, _crit: &Crit) -> bool {
        let head = self.head.at.with(|head| {
            // SAFETY: only the consumer touches `head`, and the caller is it.
            unsafe { *head }
        });
        // SAFETY: `head` is 0 at first, and then what `after` returns.
        let slot = unsafe { self.slot(head) };
        // Pairs with: `push`, the store of the function, release.
        slot.func.load(Ordering::Acquire).is_null()
    }

    /// Returns whether a push would find room.
    ///
    /// # Safety
    /// As for [`Ring::push`].
    #[inline]
    pub unsafe fn has_room(&self, _crit: &Crit) -> bool {
        // SAFETY: the caller is the producer.
        unsafe { self.is_free_behind(DEPTH) }
    }

    /// Returns whether a quarter of the slots, or more, wait to be read.
    ///
    /// # Safety
    /// As for [`Ring::push`].
    #[inline]
    pub unsafe fn is_quarter_full(&self, _crit: &Crit) -> bool {
        // SAFETY: the caller is the producer.
        unsafe { !self.is_free_behind(DEPTH.div_ceil(4)) }
    }

    /// Returns whether the call that was pushed `back` calls ago has been read; `1 <= back <= DEPTH`.
    ///
    /// # Safety
    /// As for [`Ring::push`].
    #[inline]
    unsafe fn is_free_behind(&self, back: usize) -> bool {
        let tail = self.tail.with(|tail| {
            // SAFETY: only the producer touches `tail`, and the caller is it.
            unsafe { *tail }
        });
        // SAFETY: `after` returned it.
        let slot = unsafe { self.slot(Self::after(tail, DEPTH - back)) };
        // Pairs with: `pop`, the store of null, release.
        slot.func.load(Ordering::Acquire).is_null()
    }

    /// Lends the link to `f`.
    ///
    /// # Safety
    /// The caller is the ring's source CPU, in a critical section, and `f` does not lend it again.
    pub(crate) unsafe fn link<R>(&self, f: impl FnOnce(&mut Link<DEPTH>) -> R) -> R {
        self.link.with_mut(|link| {
            // SAFETY: the source CPU alone touches it, one at a time.
            f(unsafe { &mut *link })
        })
    }
}

/// What DragonFly BSD did in 2005 and before; see `uncured.rs`.
#[cfg(feature = "uncured-2005")]
impl<const DEPTH: usize> Ring<DEPTH> {
    /// Takes out all that there is now, one after the other, by an index and copies in locals.
    ///
    /// # Safety
    /// As for [`Ring::pop`].
    pub(crate) unsafe fn pop_copies(&self, _crit: &Crit, mut run: impl FnMut(Call)) {
        // SAFETY: only the consumer touches `head`, and the caller is it.
        let first = self.head.at.with(|head| unsafe { *head });
        let copies: [Option<Call>; DEPTH] = core::array::from_fn(|place| {
            // SAFETY: `after` returned it.
            let slot = unsafe { self.slot(Self::after(first, place)) };
            let func = slot.func.load(Ordering::Acquire);
            // SAFETY: null is none, what is not null was stored by `push`, from a `CallFn`.
            let func = unsafe { core::mem::transmute::<*mut (), Option<CallFn>>(func) }?;
            // SAFETY: the slot is full, so the words are the consumer's.
            Some(Call { func, args: slot.args.with(|args| unsafe { *args }) })
        });
        for (place, call) in copies.into_iter().map_while(|call| call).enumerate() {
            // SAFETY: `after` returned it.
            let slot = unsafe { self.slot(Self::after(first, place)) };
            slot.func.store(ptr::null_mut(), Ordering::Release);
            // SAFETY: only the consumer touches `head`, and the caller is it.
            self.head.at.with_mut(|head| unsafe { *head = Self::after(first, place + 1) });
            run(call);
        }
    }
}

/// The producing end of a ring that is used by itself.
#[derive(Debug)]
pub struct Producer<'a, const DEPTH: usize = RING_DEPTH>(&'a Ring<DEPTH>);

impl<const DEPTH: usize> Producer<'_, DEPTH> {
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
pub struct Consumer<'a, const DEPTH: usize = RING_DEPTH>(&'a Ring<DEPTH>);

// An end may go to another CPU, and there is one of each.
assert_impl_all!(Producer<'static>: Send);
assert_impl_all!(Consumer<'static>: Send);
assert_not_impl_any!(Producer<'static>: Clone);
assert_not_impl_any!(Consumer<'static>: Clone);

impl<const DEPTH: usize> Consumer<'_, DEPTH> {
    /// Takes the oldest call out.
    #[inline(always)]
    pub fn pop(&mut self, crit: &Crit) -> Option<Call> {
        // SAFETY: `split` made one consumer, and it is borrowed mutably.
        unsafe { self.0.pop(crit) }
    }
}
