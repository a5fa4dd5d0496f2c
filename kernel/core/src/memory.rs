//! The kernel's memory: frames and the heap.

mod frames;
mod heap;
mod refusal;

pub(crate) use frames::{FrameCache, take_for_good, take_run};
pub use frames::{free, in_use as frames_in_use, put};
pub use heap::{Heap, in_use as heap_in_use, objects_out, pages as heap_pages};
pub(crate) use heap::{IS_FETCHED, fetch, footprint};
pub use refusal::{Dry, Refusal, asked, dry_spells, refuse};

use crate::faults;
use arch::layout::Phys;
use arch::paging::FrameSource;
use percpu::Crit;

/// The general heap's share of RAM, and its least size.
const ARENA_SHARE: u64 = 16;
const ARENA_LEAST: u64 = 4 << 20;

/// There is no run of memory for the general heap's arena.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoArena;

/// Takes over the free memory of the boot map. Once, on the first CPU, before the heap's first use.
pub(crate) fn init(info: &arch::boot::BootInfo) -> Result<(), NoArena> {
    frames::init(info.memory.iter().copied());
    let bytes = (info.ram_bytes / ARENA_SHARE).max(ARENA_LEAST);
    if heap::init(bytes as usize) { Ok(()) } else { Err(NoArena) }
}

/// Takes a frame with undefined content.
#[inline]
pub fn take(crit: &Crit) -> Option<Phys> {
    if faults::refuses_memory() { None } else { frames::take(crit) }
}

/// Takes a frame full of zeroes.
#[inline]
pub fn take_zeroed(crit: &Crit) -> Option<Phys> {
    if faults::refuses_memory() { None } else { frames::take_zeroed(crit) }
}

/// Frames for page tables.
pub(crate) struct Tables<'a>(pub(crate) &'a Crit);

impl FrameSource for Tables<'_> {
    fn take(&mut self) -> Option<Phys> {
        take_zeroed(self.0)
    }

    fn give(&mut self, frame: Phys) {
        put(self.0, frame);
    }
}

/// Frames for the first CPU's tables, kept for good.
pub(crate) struct PoolTables;

impl FrameSource for PoolTables {
    fn take(&mut self) -> Option<Phys> {
        frames::take_early()
    }

    fn give(&mut self, _: Phys) {
        // Nothing of the first CPU's is ever given back.
    }
}
