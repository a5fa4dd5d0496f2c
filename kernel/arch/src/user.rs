//! Ring 3: how it is entered, its `gs` and `fs`, and copies that a bad address cannot hurt.

use crate::layout::USER_END;
use crate::trap::Frame;

/// A user address could not be read or written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault;

/// A range that lies wholly below [`USER_END`]: the only thing that copies accept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UserRange { start: usize, bytes: usize }

impl UserRange {
    /// Checks a range that came from ring 3.
    #[inline]
    pub const fn new(start: u64, bytes: usize) -> Result<Self, Fault> {
        if bytes <= USER_END && start <= (USER_END - bytes) as u64 { Ok(UserRange { start: start as usize, bytes }) } else { Err(Fault) }
    }
    /// Its first address.
    pub const fn start(self) -> usize { self.start }
    /// Its length.
    pub const fn bytes(self) -> usize { self.bytes }
    /// The part from `offset` on, of `bytes` bytes, if that lies within.
    pub const fn part(self, offset: usize, bytes: usize) -> Option<Self> {
        if offset <= self.bytes && bytes <= self.bytes - offset { Some(UserRange { start: self.start + offset, bytes }) } else { None }
    }
}

/// Copies from ring 3 into `to`, whose length is the range's.
pub fn copy_from_user(to: &mut [u8], from: UserRange) -> Result<(), Fault> { todo!() }
/// Copies to ring 3.
pub fn copy_to_user(to: UserRange, from: &[u8]) -> Result<(), Fault> { todo!() }
/// Reads one word.
pub fn read_word(address: u64) -> Result<u64, Fault> { todo!() }
/// Writes one word.
pub fn write_word(address: u64, value: u64) -> Result<(), Fault> { todo!() }

/// Returns a frame for [`enter`]: all registers zero but these; interrupts on.
pub fn fresh_frame(rip: u64, rsp: u64, argument: u64) -> Frame { todo!() }

/// Enters ring 3 with the frame's registers; does not come back. Passes `core_return_to_user` first.
///
/// # Safety
/// Interrupts off, the process's address space active, [`crate::cpu::set_kernel_stack`] done for it.
pub unsafe fn enter(frame: &Frame) -> ! { todo!() }

/// What an entry by `syscall` keeps at the top of the kernel stack until it returns.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct SyscallFrame {
    /// Return address, inside the layer.
    pub rip: u64,
    /// The caller's flags.
    pub rflags: u64,
    /// The caller's stack pointer.
    pub rsp: u64,
}

/// Returns where the entry in progress on the kernel stack with this top keeps the caller's context.
pub const fn syscall_frame(stack_top: usize) -> *mut SyscallFrame { (stack_top - 8 - size_of::<SyscallFrame>()) as *mut SyscallFrame }

/// Sets ring 3's `gs` base, seen at the next entry to ring 3. `base` below [`USER_END`].
pub fn set_gs_base(base: usize) { todo!() }
/// Returns ring 3's `gs` base.
pub fn gs_base() -> usize { todo!() }
/// Sets ring 3's `fs` base.
pub fn set_fs_base(base: usize) { todo!() }
/// Returns ring 3's `fs` base.
pub fn fs_base() -> usize { todo!() }
