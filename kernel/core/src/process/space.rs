//! The address space of a process: its regions and tables, owned by the process's home CPU.
//!
//! Law: only the home CPU reads or changes it. A CPU process elsewhere asks ([`crate::ipi::call`]), also for its page
//! faults. What is unmapped is reused only after every CPU of the process has acknowledged a shootdown.

use crate::fallible;
use crate::memory::{self, Tables};
use ::memory::{Backing, Region, RegionError, Regions};
use alloc::vec::Vec;
use arch::layout::{PAGE, Phys};
use arch::paging::{Access, AddressSpace, MapError};
use core::ops::Range;
use percpu::Crit;
use servers::load::Plan;

/// Why memory was not mapped, or a fault not repaired.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SpaceError {
    /// Nothing is mapped there, or not for this use.
    NotMapped,
    /// No frames, or no room in the tables of regions.
    NoMemory,
    /// The range is not one that can be mapped or unmapped.
    BadRange,
}

impl From<RegionError> for SpaceError {
    fn from(error: RegionError) -> Self {
        match error {
            RegionError::BadRange => Self::BadRange,
            RegionError::Taken | RegionError::Full => Self::NoMemory,
            RegionError::Missing => Self::NotMapped,
        }
    }
}

impl From<MapError> for SpaceError {
    fn from(error: MapError) -> Self {
        match error {
            MapError::OutOfFrames => Self::NoMemory,
            MapError::Occupied | MapError::BadAddress => Self::BadRange,
        }
    }
}

/// What ring 3 wanted of an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Use {
    /// To read it.
    Read,
    /// To write it.
    Write,
    /// To fetch an instruction there.
    Execute,
}

/// Regions, tables, and what they hold.
pub struct Space {
    tables: AddressSpace,
    regions: Regions,
    /// Frames that belong to this process: not the layer's, not the kernel's pinned ones.
    frames: u64,
}

impl Space {
    /// An empty one.
    pub(crate) fn new(crit: &Crit) -> Result<Self, SpaceError> {
        let tables = AddressSpace::new(&mut Tables(crit)).ok_or(SpaceError::NoMemory)?;
        Ok(Self { tables, regions: Regions::new(), frames: 0 })
    }

    /// What the CPU loads to use it.
    pub(crate) fn root(&self) -> Phys {
        self.tables.root()
    }

    /// Frames that belong to the process.
    pub(crate) fn frames(&self) -> u64 {
        self.frames
    }

    /// Regions that are mapped.
    pub(crate) fn mappings(&self) -> usize {
        self.regions.iter().count()
    }

    /// Maps a program as planned.
    pub(crate) fn load(&mut self, crit: &Crit, plan: &Plan<'_>) -> Result<(), SpaceError> {
        for segment in &plan.segments {
            let backing = Backing::Image { execute: segment.execute, write: segment.write };
            self.regions.insert(Region { range: segment.pages.clone(), backing })?;
            for page in segment.pages.clone().step_by(PAGE) {
                let frame = self.add_page(crit, page, access(backing))?;
                fill(frame, page, segment.address, segment.data);
            }
        }
        Ok(())
    }

    /// Sets a range aside for pages that the kernel keeps and shares; nothing is mapped there yet.
    pub(crate) fn reserve(
        &mut self,
        range: Range<u64>,
        backing: Backing,
    ) -> Result<(), SpaceError> {
        Ok(self.regions.insert(Region { range, backing })?)
    }

    /// Maps such pages in a range that was set aside for them.
    pub(crate) fn pin(
        &mut self,
        crit: &Crit,
        start: u64,
        frames: impl ExactSizeIterator<Item = Phys>,
    ) -> Result<(), SpaceError> {
        let range = start..start + (frames.len() * PAGE) as u64;
        let region = self.regions.find(start).filter(|r| r.kernels() && r.range.end >= range.end);
        let backing = region.ok_or(SpaceError::BadRange)?.backing;
        for (page, frame) in range.step_by(PAGE).zip(frames) {
            self.tables.map(page as usize, frame, access(backing), &mut Tables(crit))?;
        }
        Ok(())
    }

    /// Takes such pages out again, those of them that were mapped. They must not be used otherwise before every CPU of the
    /// process has flushed.
    pub(crate) fn unpin(&mut self, start: u64, count: usize) {
        (start..).step_by(PAGE).take(count).for_each(|page| {
            self.tables.unmap(page as usize);
        });
    }

    /// Finds room for zeroed memory that gets its frames at first touch.
    pub(crate) fn place(&mut self, length: u64, backing: Backing) -> Result<u64, SpaceError> {
        let length = length
            .checked_next_multiple_of(PAGE as u64)
            .filter(|l| *l > 0)
            .ok_or(SpaceError::BadRange)?;
        Ok(self.regions.place(abi::map::HEAP..abi::map::USER_END, length, backing)?)
    }

    /// Gives the page of an address its frame, if the region there allows the use. Also right when it has one.
    pub(crate) fn fault_in(
        &mut self,
        crit: &Crit,
        address: u64,
        wanted: Use,
    ) -> Result<(), SpaceError> {
        let region =
            self.regions.find(address).filter(|r| r.backs(address)).ok_or(SpaceError::NotMapped)?;
        let allowed = match wanted {
            Use::Read => true,
            Use::Write => region.writable(),
            Use::Execute => region.executable(),
        };
        if !allowed {
            return Err(SpaceError::NotMapped);
        }
        let page = address & !(PAGE as u64 - 1);
        if self.tables.translate(page as usize).is_some() {
            return Ok(());
        }
        if region.kernels() {
            return Err(SpaceError::NotMapped);
        }
        let backing = region.backing;
        self.add_page(crit, page, access(backing)).map(drop)
    }

    /// Takes a region out; its frames must not be used again before every CPU of the process has flushed.
    pub(crate) fn unmap(&mut self, range: Range<u64>) -> Result<Vec<Phys>, SpaceError> {
        let mapped = self
            .regions
            .find(range.start)
            .filter(|r| r.range == range)
            .ok_or(SpaceError::NotMapped)?;
        if !matches!(mapped.backing, Backing::Anonymous | Backing::Stacks { .. }) {
            return Err(SpaceError::NotMapped);
        }
        let count = self.mapped(&range).count();
        let mut frames = Vec::new();
        frames.try_reserve_exact(count).map_err(|_| SpaceError::NoMemory)?;
        let (mut at, end) = (range.start as usize, range.end as usize);
        while let Some(page) = self.tables.next_mapped(at, end) {
            frames.extend(self.tables.unmap(page));
            at = page + PAGE;
        }
        self.regions.remove(range)?;
        self.frames -= count as u64;
        Ok(frames)
    }

    /// The pages of a range that have frames.
    fn mapped(&self, range: &Range<u64>) -> impl Iterator<Item = usize> {
        let (start, end) = (range.start as usize, range.end as usize);
        let next = move |from: usize| self.tables.next_mapped(from, end);
        core::iter::successors(next(start), move |page| next(page + PAGE))
    }

    /// Gives everything back that belongs to the process.
    ///
    /// # Safety
    /// No CPU uses the tables or holds translations of them, now or later.
    pub(crate) unsafe fn destroy(self, crit: &Crit) {
        let regions = self.regions;
        let ours = |page: usize| regions.find(page as u64).is_some_and(|region| !region.kernels());
        let give = |page: usize, frame: Phys| {
            if ours(page) {
                memory::put(crit, frame);
            }
        };
        // SAFETY: the caller's promise.
        unsafe { self.tables.destroy(&mut Tables(crit), give) };
    }

    fn add_page(&mut self, crit: &Crit, page: u64, access: Access) -> Result<Phys, SpaceError> {
        let frame = memory::take_zeroed(crit).ok_or(SpaceError::NoMemory)?;
        if let Err(error) = self.tables.map(page as usize, frame, access, &mut Tables(crit)) {
            memory::put(crit, frame);
            return Err(error.into());
        }
        self.frames += 1;
        Ok(frame)
    }
}

fn access(backing: Backing) -> Access {
    match backing {
        Backing::Image { execute: true, .. } | Backing::Code => Access::USER_EXECUTE,
        Backing::Image { write: true, .. } | Backing::Pinned { write: true } => Access::USER_WRITE,
        Backing::Image { .. } | Backing::Pinned { .. } => Access::USER_READ,
        Backing::Anonymous | Backing::Stacks { .. } => Access::USER_WRITE,
    }
}

/// Copies the part of `data`, which begins at `address`, that falls into `page`.
fn fill(frame: Phys, page: u64, address: u64, data: &[u8]) {
    let end = page + PAGE as u64;
    let from = page.max(address);
    let to = end.min(address + data.len() as u64);
    if from >= to {
        return;
    }
    let part = &data[(from - address) as usize..(to - address) as usize];
    let target = (frame.virt() + (from - page) as usize) as *mut u8;
    // SAFETY: 1. the frame is fresh and ours, shown by the direct map; 2. the part ends inside its page.
    unsafe { core::ptr::copy_nonoverlapping(part.as_ptr(), target, part.len()) };
}

/// Frames for `data`, page by page, that are the kernel's for good: the layer's image.
pub(crate) fn kernel_copy(
    crit: &Crit,
    pages: Range<u64>,
    address: u64,
    data: &[u8],
) -> Option<Vec<Phys>> {
    let mut frames = Vec::new();
    frames.try_reserve_exact(pages.clone().step_by(PAGE).count()).ok()?;
    for page in pages.step_by(PAGE) {
        let frame = memory::take_zeroed(crit)?;
        fill(frame, page, address, data);
        frames.push(frame);
    }
    Some(frames)
}

/// Physically contiguous zeroed pages from the kernel heap, to be pinned.
pub(crate) struct Pages {
    base: core::ptr::NonNull<u8>,
    count: usize,
}

// SAFETY: the pages are plain memory that this value owns.
unsafe impl Send for Pages {}
// SAFETY: as above; what is behind `base` is shared with ring 3 anyway and read as atomics or through raw pointers.
unsafe impl Sync for Pages {}

impl Pages {
    /// So many pages.
    pub(crate) fn new(count: usize) -> Option<Self> {
        let base = core::ptr::NonNull::new(fallible::zeroed_pages(count))?;
        Some(Self { base, count })
    }

    /// Where the kernel sees them.
    pub(crate) fn base(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// Their frames, in order.
    pub(crate) fn frames(&self) -> impl ExactSizeIterator<Item = Phys> {
        let first = Phys::of_direct(self.base.as_ptr().addr());
        (0..self.count).map(move |index| Phys(first.0 + (index * PAGE) as u64))
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        fallible::free_pages(self.base.as_ptr(), self.count);
    }
}
