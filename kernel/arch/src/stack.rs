//! Kernel stacks with a guard page below each.
//!
//! Every CPU has 1 GiB of address space for its stacks and its own tables below that, so that mapping
//! one needs no other CPU. All of it lies under entries of the top table that boot makes and every address space shares:
//! a stack is there on all CPUs and in all processes, and a thread may take its own along. (What was not mapped is not
//! cached, so a new one needs no shootdown.)
//! ```text
//! slot n:  guard page | BYTES of stack      (slots below FIRST_SLOT are the machine's)
//! ```

use percpu::MAX_CPUS;

use crate::layout::{DEVICES, PAGE, STACKS, STACKS_PER_CPU};
use crate::paging::{self, Access, FrameSource, Leaf, OutOfFrames};

/// Usable bytes of a stack.
pub const BYTES: usize = 7 * PAGE;
/// From one slot to the next.
pub const STRIDE: usize = 8 * PAGE;
/// First slot that the kernel may use; those below belong to [`crate::tables::prepare`].
pub const FIRST_SLOT: usize = 8;
/// Slots of one CPU.
pub const SLOTS: usize = STACKS_PER_CPU / STRIDE;
/// What one entry of the top table spans.
const TOP: usize = 1 << 39;
const _: () = assert!(STACKS.is_multiple_of(TOP) && STACKS + MAX_CPUS * STACKS_PER_CPU <= DEVICES);

/// An address under each entry of the top table that stacks lie under.
pub(crate) fn tops() -> impl Iterator<Item = usize> {
    (STACKS..STACKS + MAX_CPUS * STACKS_PER_CPU).step_by(TOP)
}

/// Maps the stack of a slot in a CPU's region and returns its top (exclusive, 16-aligned). Each slot is
/// mapped once: a stack no longer needed is kept for the next thread. Without memory, or with no slot left, nothing is
/// mapped, and every frame goes back but those of tables, which the next attempt finds.
///
/// # Safety
/// The region is this CPU's own, or that CPU does not run yet.
pub unsafe fn map(
    cpu: u32,
    slot: usize,
    frames: &mut impl FrameSource,
) -> Result<usize, OutOfFrames> {
    // SAFETY: the caller's word.
    unsafe { map_part(cpu, slot, BYTES, frames) }
}

/// Maps the upper `bytes` of a slot.
///
/// # Safety
/// As [`map`].
pub(crate) unsafe fn map_part(
    cpu: u32,
    slot: usize,
    bytes: usize,
    frames: &mut impl FrameSource,
) -> Result<usize, OutOfFrames> {
    assert!((cpu as usize) < MAX_CPUS && bytes <= BYTES);
    if slot >= SLOTS {
        return Err(OutOfFrames);
    }
    let (root, top) = (paging::kernel_root(), top(cpu, slot));
    // One table has all pages of a slot.
    const { assert!(Leaf::Large.bytes().is_multiple_of(STRIDE)) };
    paging::reserve_page(root, top - PAGE, frames).map_err(|_| OutOfFrames)?;
    let mut taken = [None; BYTES / PAGE];
    let taken = &mut taken[..bytes / PAGE];
    taken.fill_with(|| frames.take());
    if taken.contains(&None) {
        taken.iter().flatten().for_each(|frame| frames.give(*frame));
        return Err(OutOfFrames);
    }
    for (page, frame) in (top - bytes..top).step_by(PAGE).zip(taken.iter().flatten()) {
        paging::map_leaf(root, page, *frame, Access::KERNEL_WRITE, Leaf::Page, frames)
            .expect("a slot is mapped once, and its table is there");
    }
    Ok(top)
}

/// Returns the top of a slot's stack.
pub const fn top(cpu: u32, slot: usize) -> usize {
    STACKS + cpu as usize * STACKS_PER_CPU + (slot + 1) * STRIDE
}

/// If `address` lies in the guard page of a slot, returns the CPU and slot whose stack overflowed.
pub fn guard(address: usize) -> Option<(u32, usize)> {
    let offset = address.checked_sub(STACKS)?;
    let (cpu, within) = (offset / STACKS_PER_CPU, offset % STACKS_PER_CPU);
    (cpu < MAX_CPUS && within % STRIDE < PAGE).then_some((cpu as u32, within / STRIDE))
}
