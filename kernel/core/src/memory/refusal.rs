//! Memory that is not to be had: refused on purpose, for tests, or really not there.
//!
//! A refusal is decided where a CPU has nothing at hand; so while one is in force, no CPU keeps anything at hand
//! ([`memory::Magazine`]), and every request for a frame or a block of the heap is counted there. Out of force it costs
//! the common path nothing.

use super::{frames, heap};
use crate::{cpu, ipi};
use core::sync::atomic::{AtomicU64, Ordering};

/// Which requests for memory are refused, counted from 1 over all CPUs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// None.
    Off,
    /// None, but all are counted.
    Count,
    /// That one.
    Nth(u64),
    /// That one, and all after it.
    From(u64),
}

/// The first request that is refused, and how many are.
static FIRST: AtomicU64 = AtomicU64::new(u64::MAX);
static MANY: AtomicU64 = AtomicU64::new(0);
static ASKED: AtomicU64 = AtomicU64::new(0);

/// Says what is refused from now on, and begins to count anew.
pub fn refuse(refusal: Refusal) {
    let (first, many) = match refusal {
        Refusal::Off | Refusal::Count => (u64::MAX, 0),
        Refusal::Nth(number) => (number, 1),
        Refusal::From(number) => (number, u64::MAX),
    };
    FIRST.store(u64::MAX, Ordering::Relaxed);
    ASKED.store(0, Ordering::Relaxed);
    for cpu in cpu::all() {
        ipi::call(cpu.id(), move |crit| {
            heap::keep_at_hand(crit, refusal == Refusal::Off);
            frames::keep_at_hand(crit, refusal == Refusal::Off);
        });
    }
    MANY.store(many, Ordering::Relaxed);
    FIRST.store(first, Ordering::Relaxed);
}

/// Requests since the last [`refuse`], those refused among them. Means something while a refusal is in force.
pub fn asked() -> u64 {
    ASKED.load(Ordering::Relaxed)
}

/// Counts a request that found nothing at hand; whether it is to be refused.
#[cold]
pub(super) fn strikes() -> bool {
    let number = ASKED.fetch_add(1, Ordering::Relaxed) + 1;
    let first = FIRST.load(Ordering::Relaxed);
    number >= first && number - first < MANY.load(Ordering::Relaxed)
}

/// How often there was really nothing left, since boot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dry {
    /// No page frame.
    pub frames: u64,
    /// No small object of the heap, nor a frame to make some of.
    pub objects: u64,
    /// No block of the heap above half a page.
    pub blocks: u64,
}

pub(super) static FRAMES: AtomicU64 = AtomicU64::new(0);
pub(super) static OBJECTS: AtomicU64 = AtomicU64::new(0);
pub(super) static BLOCKS: AtomicU64 = AtomicU64::new(0);

/// Counts a request that cannot be met.
#[cold]
pub(super) fn dry<T>(what: &AtomicU64) -> Option<T> {
    what.fetch_add(1, Ordering::Relaxed);
    None
}

/// How often there was really nothing left, since boot.
pub fn dry_spells() -> Dry {
    let read = |what: &AtomicU64| what.load(Ordering::Relaxed);
    Dry { frames: read(&FRAMES), objects: read(&OBJECTS), blocks: read(&BLOCKS) }
}
