//! What all carriers of a process share: the list of carriers, and the slabs that stacks are cut from.
//!
//! A slab is one mapping, however many stacks: at a stride there is a hole as guard, then the stack; the block of the
//! thread stands at the top of the stack. Stacks are never returned to the kernel one by one, but to the carrier they were cut
//! for, whose next thread they serve.

use crate::sync::{AtomicPtr, AtomicU64, Ordering};
use crate::{Carrier, Inbox, Tcb};
use core::cell::Cell;
use core::ptr::{NonNull, null_mut};

/// Most carriers of a process.
#[cfg(not(feature = "loom"))]
pub const MAX_CARRIERS: usize = abi::map::MAX_CPU_PROCESSES as usize;
/// Most carriers of a process in a model.
#[cfg(feature = "loom")]
pub const MAX_CARRIERS: usize = 4;
/// Number of stack classes.
pub const CLASSES: usize = 3;
/// Stacks that are cut at once.
const BATCH: u64 = 4;
/// Bytes of the guard hole below each stack.
pub const GUARD: u64 = abi::map::PAGE;

/// How big a stack is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Class {
    /// 16 KiB.
    Usual = 0,
    /// One page, block included: for threads by the hundred thousand.
    Small = 1,
    /// 128 KiB.
    Large = 2,
}

impl Class {
    /// All classes.
    pub const ALL: [Class; CLASSES] = [Class::Usual, Class::Small, Class::Large];

    /// The class of that index; anything unknown is [`Class::Usual`].
    #[must_use]
    pub const fn from_index(index: u8) -> Class {
        match index {
            1 => Class::Small,
            2 => Class::Large,
            _ => Class::Usual,
        }
    }

    /// Bytes of a stack with its thread's block.
    #[must_use]
    pub const fn size(self) -> u64 {
        match self {
            Class::Usual => 16 << 10,
            Class::Small => 4 << 10,
            Class::Large => 128 << 10,
        }
    }

    /// Distance from one stack to the next: its guard hole comes first.
    #[must_use]
    pub const fn stride(self) -> u64 {
        self.size() + GUARD
    }

    /// Stacks in the slab.
    #[must_use]
    pub const fn stacks(self) -> u64 {
        match self {
            Class::Usual => 1 << 18,
            Class::Small => 1 << 21,
            Class::Large => 1 << 12,
        }
    }

    /// Bytes of the slab.
    #[must_use]
    pub const fn slab(self) -> u64 {
        self.stride() * self.stacks()
    }
}

#[derive(Debug)]
struct Slab {
    base: AtomicU64,
    stacks: AtomicU64,
    cut: AtomicU64,
}

/// What the carriers of a process share.
#[derive(Debug)]
#[repr(C)]
pub struct Process {
    slabs: [Slab; CLASSES],
    carriers: [AtomicPtr<Inbox>; MAX_CARRIERS],
}

#[cfg(not(any(feature = "loom", feature = "shuttle")))]
static_assertions::const_assert!(size_of::<Process>() <= 504 * 8);

impl Process {
    /// A process without carriers and stacks.
    #[must_use]
    pub fn new() -> Self {
        Self {
            slabs: core::array::from_fn(|_| Slab {
                base: AtomicU64::new(0),
                stacks: AtomicU64::new(0),
                cut: AtomicU64::new(0),
            }),
            carriers: core::array::from_fn(|_| AtomicPtr::new(null_mut())),
        }
    }

    /// Hands over the slab of `class`: room for `stacks` stacks from `base` on. Before the first thread is made.
    ///
    /// # Safety
    /// The memory is writable but for the guard holes, nobody else's, and stays while the process lives.
    pub unsafe fn give_slab(&self, class: Class, base: u64, stacks: u64) {
        let slab = &self.slabs[class as usize];
        slab.base.store(base, Ordering::Relaxed);
        // Pairs with: Carrier::refill, acquire.
        slab.stacks.store(stacks, Ordering::Release);
    }

    /// Enters a carrier in the list.
    pub(crate) fn enter(&self, carrier: &'static Carrier) {
        let seat = &self.carriers[carrier.index() as usize % MAX_CARRIERS];
        // Pairs with: Process::carrier, acquire.
        seat.store((&raw const *carrier.inbox()).cast_mut(), Ordering::Release);
    }

    /// The inbox of CPU process `index`, when it has begun.
    #[must_use]
    pub fn carrier(&self, index: u8) -> Option<&'static Inbox> {
        // Pairs with: Process::enter, release.
        let seat = self.carriers.get(index as usize)?.load(Ordering::Acquire);
        // SAFETY: null, or an inbox that lives as long as the process.
        unsafe { seat.as_ref() }
    }
}

impl Default for Process {
    fn default() -> Self {
        Self::new()
    }
}

impl Carrier {
    /// Cuts stacks for the empty list of `class`; returns its first.
    #[inline(never)]
    pub(crate) fn refill(&'static self, class: Class) -> Option<&'static Tcb> {
        let slab = &self.process.slabs[class as usize];
        // Pairs with: Process::give_slab, release.
        let stacks = slab.stacks.load(Ordering::Acquire);
        let first = slab.cut.fetch_add(BATCH, Ordering::Relaxed);
        let base = slab.base.load(Ordering::Relaxed);
        let free: &Cell<Option<&'static Tcb>> = &self.free[class as usize];
        for number in (first..stacks.min(first.saturating_add(BATCH))).rev() {
            let top = base + (number + 1) * class.stride();
            let at = (top - size_of::<Tcb>() as u64) as *mut Tcb;
            // SAFETY: the top of a slab's stack is not null.
            let at = unsafe { NonNull::new_unchecked(at) };
            // SAFETY: `cut` gave this stack to us alone, and slabs are writable for ever (`give_slab`).
            let thread = unsafe { Tcb::make(at, class as u8, self, self.landing) };
            thread.free.set(free.get());
            free.set(Some(thread));
        }
        free.get()
    }

    /// Lowest address of the stack of `thread`, and its length without the block.
    #[must_use]
    pub fn stack_of(thread: &'static Tcb) -> (usize, usize) {
        let top = &raw const *thread as usize + size_of::<Tcb>();
        let size = Class::from_index(thread.class.get()).size() as usize;
        (top - size, size - size_of::<Tcb>())
    }
}
