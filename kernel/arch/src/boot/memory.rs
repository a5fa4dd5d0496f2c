//! Free memory during boot, and the kernel's own page tables.

use super::loader::{Loaded, Reason};
use super::refuse;
use crate::features::Features;
use crate::layout::{DEVICES, DIRECT_MAP, KERNEL_BASE, PAGE, Phys, PhysRange};
use crate::paging::{Access, FrameSource, Leaf, MapError, map_leaf, reserve_top, set_kernel_root};
use crate::stack;
use crate::tables::{APIC_PAGE, APIC_PHYSICAL};

/// Ranges that can be told apart.
const RANGES: usize = 64;
/// What boot can reach on its first tables.
const REACH: u64 = 1 << 32;

/// Free memory: whole pages, rising, disjoint.
pub(super) struct Regions {
    ranges: [PhysRange; RANGES],
    count: usize,
}

impl Regions {
    pub(super) const fn new() -> Self {
        Regions { ranges: [PhysRange { start: Phys(0), end: Phys(0) }; RANGES], count: 0 }
    }

    pub(super) fn free(&self) -> &[PhysRange] {
        &self.ranges[..self.count]
    }

    /// Adds a range, cut to whole pages; the loader's are disjoint.
    pub(super) fn add(&mut self, range: PhysRange) -> Result<(), Reason> {
        let start = range.start.0.next_multiple_of(PAGE as u64);
        let end = range.end.0 & !(PAGE as u64 - 1);
        if start < end {
            let at = self.free().partition_point(|r| r.start.0 < start);
            self.insert(at, PhysRange { start: Phys(start), end: Phys(end) })?;
        }
        Ok(())
    }

    fn insert(&mut self, at: usize, range: PhysRange) -> Result<(), Reason> {
        if self.count == RANGES {
            return Err("the memory map has too many ranges");
        }
        self.ranges[at..=self.count].rotate_right(1);
        self.ranges[at] = range;
        self.count += 1;
        Ok(())
    }

    /// Takes a range out, widened to whole pages.
    pub(super) fn remove(&mut self, range: PhysRange) -> Result<(), Reason> {
        let start = range.start.0 & !(PAGE as u64 - 1);
        let end = range.end.0.next_multiple_of(PAGE as u64);
        let mut at = 0;
        while at < self.count {
            let here = self.ranges[at];
            if here.end.0 <= start || end <= here.start.0 {
                at += 1;
                continue;
            }
            self.ranges[at..self.count].rotate_left(1);
            self.count -= 1;
            for rest in [
                PhysRange { start: here.start, end: Phys(start) },
                PhysRange { start: Phys(end), end: here.end },
            ] {
                if rest.start.0 < rest.end.0 {
                    self.insert(at, rest)?;
                    at += 1;
                }
            }
        }
        Ok(())
    }
}

impl FrameSource for Regions {
    /// Takes from the start of the first range within reach.
    fn take(&mut self) -> Option<Phys> {
        let range = self.ranges[..self.count]
            .iter_mut()
            .find(|r| r.start.0 < r.end.0 && r.end.0 <= REACH)?;
        let frame = range.start;
        range.start.0 += PAGE as u64;
        // SAFETY: free memory that the boot tables map.
        unsafe { frame.as_ptr::<u8>().write_bytes(0, PAGE) };
        Some(frame)
    }

    fn give(&mut self, _: Phys) {
        unreachable!("boot gives no frame back");
    }
}

unsafe extern "C" {
    static __text_start: u8;
    static __text_end: u8;
    static __rodata_start: u8;
    static __rodata_end: u8;
    static __data_start: u8;
    static __data_end: u8;
    static __boot_guard: u8;
}

/// Returns the memory that the image takes, its low part included.
pub(super) fn image() -> PhysRange {
    /// Where the low part is linked.
    const START: u64 = 0x20_0000;
    PhysRange {
        start: Phys(START),
        end: Phys(((&raw const __data_end) as usize - KERNEL_BASE) as u64),
    }
}

/// Makes the kernel's tables and its root, not yet active. Refuses to go on without memory.
pub(super) fn build(frames: &mut Regions, loaded: &Loaded, features: Features) {
    if let Err(error) = try_build(frames, loaded, features) {
        refuse(format_args!("the kernel's page tables cannot be made: {error:?}"));
    }
    // `take` may have used a range up.
    let _ = frames.remove(PhysRange { start: Phys(0), end: Phys(0) });
}

fn try_build(frames: &mut Regions, loaded: &Loaded, features: Features) -> Result<(), MapError> {
    let root = frames.take().ok_or(MapError::OutOfFrames)?;
    let (text, text_end) = ((&raw const __text_start) as usize, (&raw const __text_end) as usize);
    let (rodata, rodata_end) =
        ((&raw const __rodata_start) as usize, (&raw const __rodata_end) as usize);
    let (data, data_end) = ((&raw const __data_start) as usize, (&raw const __data_end) as usize);
    let guard = (&raw const __boot_guard) as usize;
    map_image(root, text, text_end, Access::KERNEL_EXECUTE, frames)?;
    map_image(root, rodata, rodata_end, Access::KERNEL_READ, frames)?;
    map_image(root, data, guard, Access::KERNEL_WRITE, frames)?;
    map_image(root, guard + PAGE, data_end, Access::KERNEL_WRITE, frames)?;
    for range in loaded.ranges() {
        map_direct(root, *range, features, frames)?;
    }
    for top in stack::tops() {
        reserve_top(root, top, frames)?;
    }
    reserve_top(root, DEVICES, frames)?;
    map_leaf(root, APIC_PAGE, Phys(APIC_PHYSICAL), Access::DEVICE, Leaf::Page, frames)?;
    set_kernel_root(root);
    Ok(())
}

fn map_image(
    root: Phys,
    start: usize,
    end: usize,
    access: Access,
    frames: &mut Regions,
) -> Result<(), MapError> {
    (start..end).step_by(PAGE).try_for_each(|page| {
        map_leaf(root, page, Phys((page - KERNEL_BASE) as u64), access, Leaf::Page, frames)
    })
}

/// Shows a range of RAM in the direct map, widened to 2 MiB, by the largest pages that fit.
fn map_direct(
    root: Phys,
    range: PhysRange,
    features: Features,
    frames: &mut Regions,
) -> Result<(), MapError> {
    let large = Leaf::Large.bytes() as u64;
    let giant = Leaf::Giant.bytes() as u64;
    let mut at = range.start.0 & !(large - 1);
    let end = range.end.0.next_multiple_of(large);
    while at < end {
        let fits = features.giant_pages && at.is_multiple_of(giant) && at + giant <= end;
        let leaf = if fits { Leaf::Giant } else { Leaf::Large };
        let mut step = leaf.bytes() as u64;
        let direct = |leaf, frames: &mut Regions| {
            map_leaf(root, DIRECT_MAP + at as usize, Phys(at), Access::KERNEL_WRITE, leaf, frames)
        };
        match direct(leaf, frames) {
            // A neighbour range was widened into this place.
            Err(MapError::Occupied) if leaf == Leaf::Giant => {
                step = large;
                match direct(Leaf::Large, frames) {
                    Err(MapError::Occupied) => {}
                    result => result?,
                }
            }
            Err(MapError::Occupied) => {}
            result => result?,
        }
        at += step;
    }
    Ok(())
}
