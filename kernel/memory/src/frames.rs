//! The shared pool of page frames, behind the CPUs' magazines.
//!
//! A frame is either in use, in a magazine, on the pool's free list (linked through the frames themselves) or in a
//! boot region that was never handed out. Boot regions are consumed in order, so a fresh boot always hands out the
//! same frames in the same order: instruction counts repeat.

use crate::PAGE;
use arrayvec::ArrayVec;

/// A page frame, by its number: physical address / [`PAGE`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord, Hash)]
pub struct Frame(pub u64);

impl Frame {
    /// The frame that holds a physical address.
    pub const fn containing(physical: u64) -> Self {
        Self(physical / PAGE as u64)
    }

    /// The physical address of its first byte.
    pub const fn address(self) -> u64 {
        self.0 * PAGE as u64
    }
}

/// One word in each free frame, in which the pool keeps the number of the next.
pub trait Links {
    /// Writes the word of a frame that is free.
    fn set(&mut self, frame: Frame, next: Option<Frame>);
    /// Reads the word that was written last.
    fn get(&self, frame: Frame) -> Option<Frame>;
}

/// Boot regions that a pool can hold; a PC's memory map has fewer usable ones.
pub const MAX_REGIONS: usize = 32;

/// Free frames that belong to no CPU.
#[derive(Debug)]
pub struct Pool<L> {
    fresh: ArrayVec<core::ops::Range<u64>, MAX_REGIONS>,
    free: Option<Frame>,
    available: u64,
    links: L,
}

impl<L: Links> Pool<L> {
    /// An empty pool over a way to link frames.
    pub const fn new(links: L) -> Self {
        Self { fresh: ArrayVec::new_const(), free: None, available: 0, links }
    }

    /// Adds the whole frames of a usable physical range, in bytes; what exceeds [`MAX_REGIONS`] is refused.
    pub fn add(&mut self, start: u64, end: u64) -> bool {
        let page = PAGE as u64;
        let range = start.div_ceil(page)..end / page;
        if range.is_empty() {
            return true;
        }
        let count = range.end - range.start;
        let added = self.fresh.try_push(range).is_ok();
        if added {
            self.available += count;
        }
        added
    }

    /// Takes a frame; its content is undefined.
    pub fn take(&mut self) -> Option<Frame> {
        let frame = match self.free {
            Some(frame) => {
                self.free = self.links.get(frame);
                frame
            }
            None => self.take_fresh()?,
        };
        self.available -= 1;
        Some(frame)
    }

    /// Puts a frame back that [`take`](Self::take) or [`take_run`](Self::take_run) gave.
    pub fn put(&mut self, frame: Frame) {
        self.links.set(frame, self.free);
        self.free = Some(frame);
        self.available += 1;
    }

    /// Takes `count` frames in one run, from memory never handed out so far: for boot-time structures.
    pub fn take_run(&mut self, count: u64) -> Option<Frame> {
        let region = self.fresh.iter_mut().find(|r| r.end - r.start >= count)?;
        let first = Frame(region.start);
        region.start += count;
        self.available -= count;
        Some(first)
    }

    /// Frames that can still be taken.
    pub fn available(&self) -> u64 {
        self.available
    }

    fn take_fresh(&mut self) -> Option<Frame> {
        let region = self.fresh.iter_mut().find(|r| !r.is_empty())?;
        region.next().map(Frame)
    }
}
