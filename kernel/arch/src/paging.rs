//! Four-level page tables, reached through the direct map.
//!
//! An [`AddressSpace`] owns the tables of the user half and shares the kernel half, whose top-level
//! entries are all made at boot. It neither counts the frames it maps nor tells other CPUs what it
//! unmapped: that is the kernel's, by message.

use crate::layout::Phys;

/// Where frames for page tables come from.
pub trait FrameSource {
    /// Returns a zeroed frame.
    fn take(&mut self) -> Option<Phys>;
    /// Takes a frame back.
    fn give(&mut self, frame: Phys);
}

/// What a mapping allows. Readable always; a kernel page is [`Access::kernel`], global.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access(u64);

impl Access {
    /// Ring 3 may read.
    pub const USER_READ: Access = Access(0);
    /// Ring 3 may read and write.
    pub const USER_WRITE: Access = Access(0);
    /// Ring 3 may read and execute.
    pub const USER_EXECUTE: Access = Access(0);
    /// Ring 0 may read and write.
    pub const KERNEL_WRITE: Access = Access(0);
}

/// Why a page was not mapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapError {
    /// No frame for a table.
    OutOfFrames,
    /// Something is mapped there.
    Occupied,
    /// Not an address of the user half, or not a page's first.
    BadAddress,
}

/// The tables of one process.
#[derive(Debug)]
pub struct AddressSpace {
    root: Phys,
}

impl AddressSpace {
    /// Makes an empty user half below the shared kernel half.
    pub fn new(frames: &mut impl FrameSource) -> Option<Self> { todo!() }
    /// Maps one page.
    pub fn map(&mut self, page: usize, frame: Phys, access: Access, frames: &mut impl FrameSource) -> Result<(), MapError> { todo!() }
    /// Takes a mapping out and returns its frame, which other CPUs may still reach until a shootdown is acknowledged.
    pub fn unmap(&mut self, page: usize) -> Option<Phys> { todo!() }
    /// Changes what a mapping allows; same caution as [`Self::unmap`] when it allows less.
    pub fn protect(&mut self, page: usize, access: Access) -> Option<()> { todo!() }
    /// Returns the frame behind an address and what it allows.
    pub fn translate(&self, address: usize) -> Option<(Phys, Access)> { todo!() }
    /// Makes this the CPU's address space; loads CR3 only when it is not already.
    ///
    /// # Safety
    /// It outlives its use on this CPU: another is activated before it is destroyed.
    pub unsafe fn activate(&self) { todo!() }
    /// Gives every table frame back, and every still mapped page to `page`.
    ///
    /// # Safety
    /// Active on no CPU, and no CPU holds a translation of it.
    pub unsafe fn destroy(self, frames: &mut impl FrameSource, page: impl FnMut(usize, Phys)) { todo!() }
    /// Returns the physical address of the top-level table: its identity.
    pub fn root(&self) -> Phys { self.root }
}

/// Leaves any process's address space for the kernel's own.
pub fn activate_kernel() { todo!() }
/// Forgets this CPU's translation of one page.
pub fn flush_page(page: usize) { todo!() }
/// Forgets this CPU's translations of the user half.
pub fn flush_user() { todo!() }
