//! Ring 3: how it is entered, its `gs` and `fs`, and copies that a bad address cannot hurt.
//!
//! A copy runs between `stac` and `clac`. Each of its instructions that may fault is listed in `.fixups`
//! beside the place to go on from; [`fix_up`] sends a fault there with `rax` = 1. No other ring 0
//! instruction may touch a user address.

use core::arch::{asm, naked_asm};

use x86_64::VirtAddr;
use x86_64::registers::model_specific::KernelGsBase;
use x86_64::registers::rflags::RFlags;
use x86_64::registers::segmentation::{FS, Segment64};

use crate::layout::USER_END;
use crate::tables::{USER_CODE, USER_DATA};
use crate::trap::{Frame, INTERRUPT_FLAG, arch_user_return, clac, return_to_user, stac};

/// A user address could not be read or written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault;

/// A range that lies wholly below [`USER_END`]: the only thing that copies accept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UserRange {
    start: usize,
    bytes: usize,
}

impl UserRange {
    /// Checks a range that came from ring 3.
    #[inline]
    pub const fn new(start: u64, bytes: usize) -> Result<Self, Fault> {
        if bytes <= USER_END && start <= (USER_END - bytes) as u64 {
            Ok(UserRange { start: start as usize, bytes })
        } else {
            Err(Fault)
        }
    }

    /// Its first address.
    #[inline]
    pub const fn start(self) -> usize {
        self.start
    }

    /// Its length.
    #[inline]
    pub const fn bytes(self) -> usize {
        self.bytes
    }

    /// The part from `offset` on, of `bytes` bytes, if that lies within.
    #[inline]
    pub const fn part(self, offset: usize, bytes: usize) -> Option<Self> {
        if offset <= self.bytes && bytes <= self.bytes - offset {
            Some(UserRange { start: self.start + offset, bytes })
        } else {
            None
        }
    }
}

macro_rules! fixup {
    ($at:literal, $to:literal) => {
        concat!(".pushsection .fixups, \"a\"\n.quad ", $at, "\n.quad ", $to, "\n.popsection")
    };
}

/// Copies words, then bytes.
///
/// # Safety
/// One side is valid for `bytes`, the other is a [`UserRange`] of that length.
#[inline]
unsafe fn copy(to: usize, from: usize, bytes: usize) -> Result<(), Fault> {
    let failed: u64;
    // SAFETY:
    // 1. Writes and reads exactly the two ranges, whose ring 0 side the caller vouches for.
    // 2. The ring 3 side may fault: both string instructions are listed.
    unsafe {
        asm!(
            stac!(),
            "2: rep movsq",
            "mov ecx, {rest:e}",
            "3: rep movsb",
            "4:",
            clac!(),
            fixup!("2b", "4b"),
            fixup!("3b", "4b"),
            rest = in(reg) bytes & 7,
            inout("rcx") bytes >> 3 => _,
            inout("rdi") to => _,
            inout("rsi") from => _,
            inlateout("rax") 0u64 => failed,
            options(nostack)
        )
    };
    if failed == 0 { Ok(()) } else { Err(Fault) }
}

/// Copies from ring 3 into `to`. The range must be as long as `to`, else it is a fault.
pub fn copy_from_user(to: &mut [u8], from: UserRange) -> Result<(), Fault> {
    if to.len() != from.bytes {
        return Err(Fault);
    }
    // SAFETY: `to` is a slice of the range's length.
    unsafe { copy(to.as_mut_ptr() as usize, from.start, from.bytes) }
}

/// Copies to ring 3. The range must be as long as `from`, else it is a fault.
pub fn copy_to_user(to: UserRange, from: &[u8]) -> Result<(), Fault> {
    if from.len() != to.bytes {
        return Err(Fault);
    }
    // SAFETY: `from` is a slice of the range's length.
    unsafe { copy(to.start, from.as_ptr() as usize, to.bytes) }
}

/// Reads one word.
#[inline]
pub fn read_word(address: u64) -> Result<u64, Fault> {
    let range = UserRange::new(address, size_of::<u64>())?;
    let (value, failed): (u64, u64);
    // SAFETY: reads one word below `USER_END`; the instruction is listed.
    unsafe {
        asm!(
            stac!(),
            "2: mov {value}, [{address}]",
            "3:",
            clac!(),
            fixup!("2b", "3b"),
            address = in(reg) range.start,
            value = out(reg) value,
            inlateout("rax") 0u64 => failed,
            options(nostack)
        )
    };
    if failed == 0 { Ok(value) } else { Err(Fault) }
}

/// Writes one word.
#[inline]
pub fn write_word(address: u64, value: u64) -> Result<(), Fault> {
    let range = UserRange::new(address, size_of::<u64>())?;
    let failed: u64;
    // SAFETY: writes one word below `USER_END`; the instruction is listed.
    unsafe {
        asm!(
            stac!(),
            "2: mov [{address}], {value}",
            "3:",
            clac!(),
            fixup!("2b", "3b"),
            address = in(reg) range.start,
            value = in(reg) value,
            inlateout("rax") 0u64 => failed,
            options(nostack)
        )
    };
    if failed == 0 { Ok(()) } else { Err(Fault) }
}

/// If the frame's instruction is one of a copy's, sends it to where the copy reports a fault.
pub(crate) fn fix_up(frame: &mut Frame) -> bool {
    unsafe extern "C" {
        static __fixups_start: [u64; 2];
        static __fixups_end: [u64; 2];
    }
    let start = &raw const __fixups_start;
    let count = ((&raw const __fixups_end) as usize - start as usize) / size_of::<[u64; 2]>();
    // SAFETY: the linker script puts the symbols around the list, in read-only memory.
    let list = unsafe { core::slice::from_raw_parts(start, count) };
    let Some([_, to]) = list.iter().find(|[at, _]| *at == frame.rip) else { return false };
    frame.rip = *to;
    frame.rax = 1;
    true
}

/// Returns a frame for [`enter`]: all registers zero but these, interrupts on.
pub const fn fresh_frame(rip: u64, rsp: u64, argument: u64) -> Frame {
    let mut frame = Frame::new();
    frame.rip = rip;
    frame.rsp = rsp;
    frame.rdi = argument;
    frame.cs = USER_CODE;
    frame.ss = USER_DATA;
    frame.rflags = INTERRUPT_FLAG | 2;
    frame
}

/// Enters ring 3 with the frame's registers, after `core_return_to_user`; does not come back.
/// Selectors and privileged flags are set here, whatever the frame says.
///
/// # Safety
/// 1. Interrupts are off, and the program's address space is active.
/// 2. [`crate::cpu::set_kernel_stack`] named a stack below which `frame` does not lie, or lies
///    without being needed again.
pub unsafe fn enter(mut frame: Frame) -> ! {
    frame.cs = USER_CODE;
    frame.ss = USER_DATA;
    frame.rflags = frame.rflags & USER_FLAGS | INTERRUPT_FLAG | 2;
    arch_user_return(&mut frame);
    // SAFETY: the caller's facts; the frame is complete and this function's own.
    unsafe { leave(&frame) }
}

/// Flags that a program may choose: arithmetic, direction, trap, alignment check, identification.
const USER_FLAGS: u64 = RFlags::CARRY_FLAG
    .union(RFlags::PARITY_FLAG)
    .union(RFlags::AUXILIARY_CARRY_FLAG)
    .union(RFlags::ZERO_FLAG)
    .union(RFlags::SIGN_FLAG)
    .union(RFlags::OVERFLOW_FLAG)
    .union(RFlags::DIRECTION_FLAG)
    .union(RFlags::TRAP_FLAG)
    .union(RFlags::ALIGNMENT_CHECK)
    .union(RFlags::ID)
    .bits();

#[unsafe(naked)]
unsafe extern "C" fn leave(frame: &Frame) -> ! {
    naked_asm!("mov rsp, rdi", "jmp {}", sym return_to_user)
}

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
pub const fn syscall_frame(stack_top: usize) -> *mut SyscallFrame {
    (stack_top - 8 - size_of::<SyscallFrame>()) as *mut SyscallFrame
}

/// Sets ring 3's `gs` base, in force from the next entry to ring 3. False, and nothing done, if the
/// address is not canonical. Ring 3 can load any that is by itself.
pub fn set_gs_base(base: u64) -> bool {
    // While ring 0 runs the user's base is parked in this register.
    VirtAddr::try_new(base).map(KernelGsBase::write).is_ok()
}

/// Returns ring 3's `gs` base.
pub fn gs_base() -> u64 {
    KernelGsBase::read().as_u64()
}

/// Sets ring 3's `fs` base. False, and nothing done, if the address is not canonical.
#[inline]
pub fn set_fs_base(base: u64) -> bool {
    let base = VirtAddr::try_new(base);
    // SAFETY: ring 0 does not use `fs`; FSGSBASE is on (boot requires it).
    base.map(|base| unsafe { FS::write_base(base) }).is_ok()
}

/// Returns ring 3's `fs` base.
#[inline]
pub fn fs_base() -> u64 {
    FS::read_base().as_u64()
}
