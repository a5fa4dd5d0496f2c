//! The doorbell of a CPU: one word, in which a sender leaves its mark after a push.
//!
//! ```text
//!    ┌─────┐   1 knock: mark, and interrupt    ┌───────┐
//!    │  0  │ ─────────────────────────────────▶│ marks │◀┐ 2 knock: mark
//!    └─────┘                                   └───────┘─┘
//!     │   ▲                                        │
//!     │   │ 4 settle: nothing came                 │
//!     │3  │                                        │ 3 take, and read the rings of the marks
//!     ▼   │                                        ▼
//!    ┌─────────────────────────────────────────────────┐  5 knock: mark  ┌───────────────────┐
//!    │ POLLING: the target looks, or will look again   │ ───────────────▶│ POLLING and marks │◀┐ 2
//!    └─────────────────────────────────────────────────┘◀─────────────── └───────────────────┘─┘
//!      6 settle, of a target that polls: stays so          3 take
//! ```
//! Bits 0 to 61 are marks of source CPUs, bit 63 is [`POLLING`]. A source gets its mark at each target when it first sends there: that of
//! its number ([`mark_of`]: modulo 62), or, where another has that, one that is free, or, where none is, that of its number after all.
//! The hardware is asked to interrupt only on edge 1 ([`Elide`](crate::knocking::Elide); what other policies do beyond it is theirs).
//!
//! | step | sender | target |
//! |---|---|---|
//! | a | push the call into the ring | exchange the word for `POLLING`, acquire (edge 3) |
//! | b | or its mark into the word, release; was it zero? (edges 1, 2, 5) | read the rings of the marks that were in it |
//! | c | zero: interrupt the target (edge 1) | compare the word with `POLLING` and exchange it for 0 (edge 4); it has marks: go to a |
//!
//! Example: A knocks (0: it interrupts); B knocks (marks: it does not); the target takes both marks and reads; A knocks again (POLLING: it
//! does not); settle fails, the target takes once more, and settles to 0. Three sends, one interrupt.
//!
//! Forbidden: a call in a ring, the target done, and nobody about to interrupt it. Both sides change the word by one
//! read-modify-write, so one comes first. The sender first: the target's exchange (step a) takes the mark and, as it
//! acquires, sees the call; or the target's comparison (step c) finds the mark, and it looks again. The target first: the sender
//! finds zero and interrupts, or `POLLING`, and the target has promised step c. Checked by the model `empty_to_pending`.
//! The word is zero only while the target reads no ring: a call that it reads costs no interrupt any more.
//!
//! A target that is busy with an interrupt it has not yet served, or that drains, or polls, has a word that is not zero:
//! it gets no further interrupt. The word is exchanged *before* the rings are read, each time, and by nothing else.
//!
//! A passive send leaves its mark in a second word, which nobody is interrupted for. The target takes it along whenever
//! it looks, and must look at its tick and before it halts. It is a word of its own so that it cannot make the first
//! one look as if an interrupt were under way (a queue filled passively froze DragonFly BSD in 2011).

use percpu::sync::{AtomicU64, Ordering};
use percpu::{CpuId, chaos_point, maybe_const};

use crate::knocking::{Knock, Knocking};
use crate::uncured;

/// How many bits of the word are marks.
pub const GROUPS: usize = 62;

/// The target looks again by itself: it drains, polls, or watches the word.
pub const POLLING: u64 = 1 << 63;

const MARKS: u64 = (1 << GROUPS) - 1;

/// Returns the mark of a source CPU, where no other source of the same target has it.
pub fn mark_of(source: CpuId) -> u64 {
    1 << (source.index() % GROUPS)
}

/// The two words of a target. Written by every sender to it: they share a line with nothing else.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct Doorbell {
    word: AtomicU64,
    passive: AtomicU64,
}

impl Default for Doorbell {
    fn default() -> Doorbell {
        Doorbell::new()
    }
}

impl Doorbell {
    maybe_const! {
        /// Makes the doorbell of a CPU that nobody has sent to.
        pub fn new() -> Doorbell {
            Doorbell { word: AtomicU64::new(0), passive: AtomicU64::new(0) }
        }
    }

    /// Leaves a mark, after the push (edges 1, 2, 5).
    #[inline(always)]
    pub fn knock<K: Knocking>(&self, mark: u64) -> Knock {
        chaos_point();
        K::knock(&self.word, mark)
    }

    /// Leaves a mark for when the target looks by itself, after the push.
    #[inline]
    pub fn note(&self, mark: u64) {
        // Pairs with: `take`, acquire.
        self.passive.fetch_or(mark, Ordering::Release);
    }

    /// Takes all marks, before their rings are read, and promises another look (edge 3). Target only.
    #[inline]
    pub fn take(&self) -> u64 {
        // Pairs with: `Knocking::knock`, release.
        let mut marks = self.word.swap(POLLING, Ordering::Acquire);
        chaos_point();
        if self.passive.load(Ordering::Relaxed) != 0 {
            // Pairs with: `note`, release.
            marks |= self.passive.swap(0, Ordering::Acquire);
        }
        marks & MARKS
    }

    /// Ends a look, and leaves `rest`, [`POLLING`] or 0 (edges 4, 6); false if there are new marks: look again. Target only.
    #[inline]
    pub fn settle(&self, rest: u64) -> bool {
        chaos_point();
        if uncured::CLEARS_MARKS {
            self.word.store(rest, Ordering::Relaxed);
            return true;
        }
        // Relaxed: nothing is read after it but what an interrupt, or the next look, will have acquired.
        self.word.compare_exchange(POLLING, rest, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Returns whether there is a mark. A glance: it orders nothing, `take` does.
    #[inline]
    pub fn is_marked(&self) -> bool {
        (self.word.load(Ordering::Relaxed) & MARKS) | self.passive.load(Ordering::Relaxed) != 0
    }

    /// Returns whether there is a mark that nobody is interrupted for. A glance, too.
    #[inline]
    pub fn is_noted(&self) -> bool {
        self.passive.load(Ordering::Relaxed) != 0
    }

    /// Returns whether a mark of a sender is one of these, as that sender sees it.
    #[inline]
    pub fn is_noted_by(&self, mark: u64) -> bool {
        self.passive.load(Ordering::Relaxed) & mark != 0
    }

    /// The address that a CPU watches that waits by `monitor` and `mwait`: a mark changes it.
    pub fn watched(&self) -> *const () {
        (&raw const self.word).cast()
    }
}
