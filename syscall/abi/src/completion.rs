//! The completion pages of a CPU process: written by the kernel, read by the layer without an entry.
//!
//! | kernel (own CPU)                   | layer                                  | forbidden                     |
//! |------------------------------------|----------------------------------------|-------------------------------|
//! | writes slot `n`, then count = n + 1 (release) | reads count (acquire), then slots below | a slot seen before it is whole |
//! | refuses a call with `Busy` unless a slot is free for it | stores how far it has read in `Carrier::seen` | a slot written over unread |

use core::mem::{offset_of, size_of};
use core::sync::atomic::{AtomicU64, Ordering};

use static_assertions::{assert_eq_size, assert_impl_all, const_assert, const_assert_eq};

/// Slots of a completion ring, and so the quota of outstanding calls of a CPU process.
pub const COMPLETION_SLOTS: usize = 256;

/// One completion, by value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Completion {
    /// The cookie of the send or receive.
    pub cookie: u64,
    /// 0, or minus an error code.
    pub status: i64,
    /// First scalar of the answer; for an error the element or size it names.
    pub value: u64,
    /// Second scalar of the answer.
    pub value2: u64,
}

/// One completion in the page.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Slot {
    cookie: AtomicU64,
    status: AtomicU64,
    value: AtomicU64,
    value2: AtomicU64,
}

/// First page: the count, and what the kernel tells the layer so that it need not ask.
#[derive(Debug, Default)]
#[repr(C, align(4096))]
pub struct Header {
    /// Completions produced since the CPU process began.
    pub count: AtomicU64,
    /// Index of this CPU process in its process.
    pub index: AtomicU64,
    /// CPU it runs on.
    pub cpu: AtomicU64,
    /// CPUs of the machine.
    pub cpus: AtomicU64,
    /// Clock: time stamp counter at nanosecond `clock_base`.
    pub clock_tsc: AtomicU64,
    /// Clock: nanoseconds since boot at time stamp `clock_tsc`.
    pub clock_base: AtomicU64,
    /// Clock: nanoseconds per tick, in units of 2^-32.
    pub clock_scale: AtomicU64,
}

impl Header {
    /// Nanoseconds since boot when the time stamp counter reads `tsc`: the clock without an entry.
    #[must_use]
    #[inline]
    pub fn nanoseconds(&self, tsc: u64) -> u64 {
        let ticks = u128::from(tsc.wrapping_sub(self.clock_tsc.load(Ordering::Relaxed)));
        let scaled = (ticks * u128::from(self.clock_scale.load(Ordering::Relaxed))) >> 32;
        self.clock_base.load(Ordering::Relaxed).wrapping_add(scaled as u64)
    }
}

/// All completion pages of a CPU process.
#[derive(Debug)]
#[repr(C, align(4096))]
pub struct Completions {
    /// The header page.
    pub header: Header,
    slots: [Slot; COMPLETION_SLOTS],
}

impl Completions {
    /// Pages that are all zero: nothing produced.
    #[must_use]
    pub fn new() -> Self {
        Self { header: Header::default(), slots: core::array::from_fn(|_| Slot::default()) }
    }

    /// Writes completion number `number` and makes it visible. Only the CPU of the CPU process does this, in order.
    #[inline]
    pub fn publish(&self, number: u64, completion: &Completion) {
        let slot = &self.slots[number as usize % COMPLETION_SLOTS];
        slot.cookie.store(completion.cookie, Ordering::Relaxed);
        slot.status.store(completion.status as u64, Ordering::Relaxed);
        slot.value.store(completion.value, Ordering::Relaxed);
        slot.value2.store(completion.value2, Ordering::Relaxed);
        // Pairs with: Completions::count, acquire.
        self.header.count.store(number + 1, Ordering::Release);
    }

    /// Completions produced so far.
    #[must_use]
    #[inline]
    pub fn count(&self) -> u64 {
        // Pairs with: Completions::publish, release.
        self.header.count.load(Ordering::Acquire)
    }

    /// Completion number `number`, one below a count that was read.
    #[must_use]
    #[inline]
    pub fn get(&self, number: u64) -> Completion {
        let slot = &self.slots[number as usize % COMPLETION_SLOTS];
        Completion {
            cookie: slot.cookie.load(Ordering::Relaxed),
            status: slot.status.load(Ordering::Relaxed) as i64,
            value: slot.value.load(Ordering::Relaxed),
            value2: slot.value2.load(Ordering::Relaxed),
        }
    }
}

impl Default for Completions {
    fn default() -> Self {
        Self::new()
    }
}

/// Pages that the completions take.
impl Completions {
    /// Number of pages.
    pub const PAGES: usize = size_of::<Completions>() / 4096;
}

const_assert!(COMPLETION_SLOTS.is_power_of_two());
const_assert_eq!(size_of::<Slot>(), 32);
assert_eq_size!(Slot, Completion);
const_assert_eq!(offset_of!(Header, count), 0);
const_assert_eq!(offset_of!(Completions, slots), 4096);
const_assert!(size_of::<Completions>() as u64 <= crate::map::COMPLETION_STRIDE);
// The kernel writes what the layer reads.
assert_impl_all!(Completions: Sync);
