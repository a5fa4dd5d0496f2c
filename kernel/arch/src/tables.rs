//! Descriptor tables of each CPU: segments, task segment, interrupt table, entry registers.

use crate::cpu::CpuHead;
use crate::paging::FrameSource;

/// What one CPU needs before it can run: made by [`prepare`] on any CPU, used by [`adopt`] on its own.
#[derive(Debug)]
pub struct Prepared { head: &'static CpuHead, stack_top: usize }

/// No frames left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfFrames;

/// Makes segments, task segment, guarded trap stacks and a first kernel stack for CPU `id`.
pub fn prepare(head: &'static CpuHead, id: u32, apic_id: u32, frames: &mut impl FrameSource) -> Result<Prepared, OutOfFrames> { todo!() }

/// Makes the CPU that runs this be the prepared one: `gs`, tables, entry registers, local APIC.
///
/// # Safety
/// Once per CPU, interrupts off; on the first CPU from `core_main`. Critical depth becomes that of the new head.
pub unsafe fn adopt(prepared: &Prepared) { todo!() }
