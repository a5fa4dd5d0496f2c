//! Kernel stacks with a guard page below each.
//!
//! Every CPU has 1 GiB of address space for its stacks, so that mapping one needs no other CPU:
//! ```text
//! slot n:  guard page | BYTES of stack      (slots 0.. are the machine's, kernel's from FIRST_SLOT)
//! ```

use crate::layout::{PAGE, STACKS, STACKS_PER_CPU};
use crate::paging::FrameSource;

/// Usable bytes of a stack.
pub const BYTES: usize = 7 * PAGE;
/// From one slot to the next.
pub const STRIDE: usize = 8 * PAGE;
/// First slot that the kernel may use; those below belong to [`crate::tables::prepare`].
pub const FIRST_SLOT: usize = 8;
/// Slots of one CPU.
pub const SLOTS: usize = STACKS_PER_CPU / STRIDE;

/// Maps the stack of a slot of this CPU's region and returns its top (exclusive, 16-aligned).
/// Each slot is mapped once; a stack no longer needed is kept for the next thread.
pub fn map(cpu: u32, slot: usize, frames: &mut impl FrameSource) -> Option<usize> { todo!() }

/// Returns the top of a slot's stack.
pub const fn top(cpu: u32, slot: usize) -> usize {
    STACKS + cpu as usize * STACKS_PER_CPU + (slot + 1) * STRIDE
}

/// If `address` lies in a guard page, returns the CPU and slot whose stack overflowed.
pub fn guard(address: usize) -> Option<(u32, usize)> { todo!() }
