//! What a trap saves, the numbers of the vectors, and the way from the CPU's hands to the kernel's.
//!
//! [`stubs`] saves registers and puts `gs` on the CPU's own block; [`dispatch`] sorts by vector and
//! calls [`crate::upcall`]. Context law: everything here runs with interrupts off.

/// Vectors of the interrupts that the kernel uses.
pub mod vector {
    use x86_64::structures::idt::ExceptionVector;

    /// Division by zero.
    pub const DIVISION: u64 = ExceptionVector::Division as u64;
    /// Debug trap.
    pub const DEBUG: u64 = ExceptionVector::Debug as u64;
    /// Non-maskable interrupt.
    pub const NMI: u64 = ExceptionVector::NonMaskableInterrupt as u64;
    /// Breakpoint instruction.
    pub const BREAKPOINT: u64 = ExceptionVector::Breakpoint as u64;
    /// Undefined instruction.
    pub const UNDEFINED: u64 = ExceptionVector::InvalidOpcode as u64;
    /// Vector or floating-point instruction, while these are off.
    pub const UNAVAILABLE: u64 = ExceptionVector::DeviceNotAvailable as u64;
    /// Double fault.
    pub const DOUBLE_FAULT: u64 = ExceptionVector::Double as u64;
    /// General protection.
    pub const PROTECTION: u64 = ExceptionVector::GeneralProtection as u64;
    /// Page fault.
    pub const PAGE_FAULT: u64 = ExceptionVector::Page as u64;
    /// Unaligned access, where a program asked to be told.
    pub const UNALIGNED: u64 = ExceptionVector::AlignmentCheck as u64;
    /// Machine check.
    pub const MACHINE_CHECK: u64 = ExceptionVector::MachineCheck as u64;
    /// A foreign program's 32-bit style entry.
    pub const FOREIGN: u64 = 0x80;
    /// The first of the interrupt lines, and how many there are.
    pub const LINE: u8 = 0x40;
    /// See [`LINE`].
    pub const LINES: u8 = 8;
    /// Local timer.
    pub const TIMER: u8 = 0xe0;
    /// "Look at your rings."
    pub const DOORBELL: u8 = 0xe1;
    /// Ends a wait of boot's; seen by nobody else.
    pub const WAKE: u8 = 0xe2;
    /// Local APIC error.
    pub const ERROR: u8 = 0xfe;
    /// Local APIC spurious.
    pub const SPURIOUS: u8 = 0xff;
    /// [`super::Frame::vector`] of a `syscall` that was not the layer's.
    pub const SYSCALL: u64 = 0x100;
}

mod dispatch;
mod stubs;

use x86_64::registers::control::Cr2;
use x86_64::registers::rflags::RFlags;
pub use x86_64::structures::idt::PageFaultErrorCode;

pub(crate) use dispatch::arch_user_return;
pub(crate) use stubs::{clac, patch_smap, push_frame, return_to_user, stac, stub_address};

/// Trap flag: a debug trap after the next instruction.
pub const TRAP_FLAG: u64 = RFlags::TRAP_FLAG.bits();
/// Interrupt flag.
pub const INTERRUPT_FLAG: u64 = RFlags::INTERRUPT_FLAG.bits();
/// Direction flag: string instructions go down.
pub const DIRECTION_FLAG: u64 = RFlags::DIRECTION_FLAG.bits();

/// All registers of what was interrupted; written back on return.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
#[allow(missing_docs)]
pub struct Frame {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rdx: u64,
    pub rcx: u64,
    pub rax: u64,
    /// Which trap; see [`vector`].
    pub vector: u64,
    /// The CPU's error code, or zero.
    pub error: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

impl Frame {
    /// Returns a frame of zeros.
    pub const fn new() -> Self {
        Frame {
            r15: 0,
            r14: 0,
            r13: 0,
            r12: 0,
            rbp: 0,
            rbx: 0,
            r11: 0,
            r10: 0,
            r9: 0,
            r8: 0,
            rdi: 0,
            rsi: 0,
            rdx: 0,
            rcx: 0,
            rax: 0,
            vector: 0,
            error: 0,
            rip: 0,
            cs: 0,
            rflags: 0,
            rsp: 0,
            ss: 0,
        }
    }

    /// True when ring 3 was interrupted.
    #[inline]
    pub fn from_user(&self) -> bool {
        self.cs & 3 == 3
    }

    /// The error code, of a page fault.
    #[inline]
    pub fn page_fault(&self) -> PageFaultErrorCode {
        PageFaultErrorCode::from_bits_truncate(self.error)
    }

    /// True for a page fault where there is no page; else the page does not allow what was wanted.
    #[inline]
    pub fn lacks_page(&self) -> bool {
        let violation = PageFaultErrorCode::PROTECTION_VIOLATION;
        self.vector == vector::PAGE_FAULT && !self.page_fault().contains(violation)
    }
}

/// Returns the address that the last page fault of this CPU touched.
#[inline]
pub fn fault_address() -> usize {
    Cr2::read_raw() as usize
}
