//! The word of rare conditions: everything unusual about a switch, tested once.

use core::ops::{BitOr, BitOrAssign};

/// A set of rare conditions. A thread has one (what is unusual whenever it arrives) and a scheduler has one (what
/// is unusual about the switch under way); picking a thread adds its word to the scheduler's.
///
/// The low bits of a scheduler's word are a number: the tokens that the running thread holds. So a switch away from a
/// thread that holds any is rare, and one test sees it. Whoever counts there: see [`Scheduler::RARE`].
///
/// [`Scheduler::RARE`]: crate::Scheduler::RARE
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Rare(u32);

impl Rare {
    /// Nothing unusual: the common case, one comparison with zero.
    pub const NONE: Self = Self(0);
    /// The thread that was left has exited and waits to be reaped from another stack.
    pub const REAP: Self = Self(1 << 8);
    /// The thread that was left goes to another CPU, now that it is off its stack.
    pub const MIGRATE: Self = Self(1 << 9);
    /// The thread that arrives is traced: the kernel records the switch.
    pub const TRACE: Self = Self(1 << 10);
    /// The CPU is lent out by a borrowed switch, and the thread that arrives is not the borrower: it gives the CPU back by
    /// [`Scheduler::repay`](crate::Scheduler::repay).
    pub const LOAN: Self = Self(1 << 11);
    /// The thread was left while it held tokens, which it takes again before it goes on: it does not preempt.
    pub const TOKENS: Self = Self(1 << 12);
    /// The thread that arrives has lent its CPU out, and kept its tokens.
    pub(crate) const KEPT: Self = Self(1 << 13);
    /// The thread that arrives leaves its queue at once: it was descheduled while it waited or ran.
    pub const DESCHEDULE: Self = Self(1 << 14);
    /// The thread that arrives goes to another CPU at once: it was evicted.
    pub const EVICT: Self = Self(1 << 15);
    /// The thread that arrives does not stay: ask [`Scheduler::depart`](crate::Scheduler::depart).
    pub const DEPARTS: Self = Self(Self::DESCHEDULE.0 | Self::EVICT.0);
    /// The kernel's own conditions of an arriving thread (a borrowed processor, a context in ring 3, ...).
    pub const KERNEL: [Self; 4] = [Self(1 << 16), Self(1 << 17), Self(1 << 18), Self(1 << 19)];
    /// The number of tokens.
    const HELD: u32 = 0xff;
    /// What the kernel sets about a thread.
    pub(crate) const SET: Self = Self(!(Self::LEFT.0 | Self::DEPARTS.0));
    /// The conditions that belong to the thread that was left.
    pub(crate) const LEFT: Self = Self(Self::REAP.0 | Self::MIGRATE.0);

    /// Whether nothing is set.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many tokens are held, of a scheduler's word.
    pub const fn held(self) -> usize {
        (self.0 & Self::HELD) as usize
    }

    /// This with so many tokens held.
    pub(crate) fn with_held(self, held: usize) -> Self {
        debug_assert!(held <= Self::HELD as usize);
        Self(self.0 & !Self::HELD | held as u32)
    }

    /// Whether all of `other` is set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is set.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// This without `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for Rare {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Rare {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}
