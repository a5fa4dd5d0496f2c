//! The regions of one address space: what a process asked to be mapped, and what a page of it means.
//!
//! A region is a constant number of bytes of kernel memory however large it is, so a slab of 100,000 thread stacks
//! with a guard hole each is one region.

use crate::PAGE;
use arrayvec::ArrayVec;
use core::ops::Range;

/// Regions that a process may have at once.
pub const MAX_REGIONS: usize = 64;

/// What stands behind the pages of a region.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backing {
    /// Part of the program or layer image; `execute` pages are never writable.
    Image {
        /// Instructions may be fetched.
        execute: bool,
        /// The program may write.
        write: bool,
    },
    /// Zeroed memory, a frame at first touch.
    Anonymous,
    /// Thread stacks: of every `stride` bytes the last `size` are zeroed memory, the rest is a guard hole.
    Stacks {
        /// Bytes from one stack to the next; a multiple of the page size.
        stride: u64,
        /// Bytes of each stack; a multiple of the page size, less than `stride`.
        size: u64,
    },
    /// Pages shared with the kernel and pinned: carrier areas, completion pages.
    Pinned {
        /// The program may write.
        write: bool,
    },
    /// Code that the kernel keeps for all processes: the emulation layer's.
    Code,
}

/// A mapped range of addresses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Region {
    /// First and one past the last address; page aligned.
    pub range: Range<u64>,
    /// What is there.
    pub backing: Backing,
}

impl Region {
    /// Whether the page at `address` may hold memory (false in a guard hole).
    pub fn backs(&self, address: u64) -> bool {
        match self.backing {
            Backing::Stacks { stride, size } => {
                (address - self.range.start) % stride >= stride - size
            }
            _ => true,
        }
    }

    /// Whether the program may write there.
    pub fn writable(&self) -> bool {
        match self.backing {
            Backing::Image { write, .. } | Backing::Pinned { write } => write,
            Backing::Anonymous | Backing::Stacks { .. } => true,
            Backing::Code => false,
        }
    }

    /// Whether instructions may be fetched there.
    pub fn executable(&self) -> bool {
        matches!(self.backing, Backing::Image { execute: true, .. } | Backing::Code)
    }

    /// Whether its frames belong to the kernel, and stay when the process goes.
    pub fn kernels(&self) -> bool {
        matches!(self.backing, Backing::Pinned { .. } | Backing::Code)
    }
}

/// Why a region was not made or found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RegionError {
    /// Not page aligned, empty, or outside the range given.
    BadRange,
    /// It would overlap another region.
    Taken,
    /// [`MAX_REGIONS`] are in use, or no gap is large enough.
    Full,
    /// No region begins there with that length.
    Missing,
}

/// The regions of an address space, in order of address.
#[derive(Debug, Default)]
pub struct Regions {
    list: ArrayVec<Region, MAX_REGIONS>,
}

impl Regions {
    /// No regions.
    pub const fn new() -> Self {
        Self { list: ArrayVec::new_const() }
    }

    /// Adds a region at a fixed place.
    pub fn insert(&mut self, region: Region) -> Result<(), RegionError> {
        let page = PAGE as u64;
        let Range { start, end } = region.range;
        if start >= end || start % page != 0 || end % page != 0 {
            return Err(RegionError::BadRange);
        }
        if let Backing::Stacks { stride, size } = region.backing
            && (stride == 0
                || size == 0
                || size >= stride
                || stride % page != 0
                || size % page != 0)
        {
            return Err(RegionError::BadRange);
        }
        let at = self.list.partition_point(|r| r.range.end <= start);
        if self.list.get(at).is_some_and(|r| r.range.start < end) {
            return Err(RegionError::Taken);
        }
        self.list.try_insert(at, region).map_err(|_| RegionError::Full)
    }

    /// Finds the lowest gap of `length` bytes inside `within` and adds a region there; returns its start.
    pub fn place(
        &mut self,
        within: Range<u64>,
        length: u64,
        backing: Backing,
    ) -> Result<u64, RegionError> {
        let mut start = within.start;
        for region in &self.list {
            if region.range.end <= start {
                continue;
            }
            if region.range.start >= start && region.range.start - start >= length {
                break;
            }
            start = region.range.end;
        }
        let end = start.checked_add(length).ok_or(RegionError::BadRange)?;
        if end > within.end {
            return Err(RegionError::Full);
        }
        self.insert(Region { range: start..end, backing })?;
        Ok(start)
    }

    /// The region that holds an address.
    pub fn find(&self, address: u64) -> Option<&Region> {
        let at = self.list.partition_point(|r| r.range.end <= address);
        self.list.get(at).filter(|r| r.range.start <= address)
    }

    /// Removes the region that is exactly `range`; parts of regions are not unmapped.
    pub fn remove(&mut self, range: Range<u64>) -> Result<Region, RegionError> {
        let at = self.list.partition_point(|r| r.range.end <= range.start);
        match self.list.get(at) {
            Some(region) if region.range == range => Ok(self.list.remove(at)),
            _ => Err(RegionError::Missing),
        }
    }

    /// Every region, in order of address.
    pub fn iter(&self) -> impl Iterator<Item = &Region> {
        self.list.iter()
    }
}
