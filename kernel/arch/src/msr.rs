//! Model-specific registers.

use core::arch::asm;

pub(crate) const STAR: u32 = 0xc000_0081;
pub(crate) const LSTAR: u32 = 0xc000_0082;
pub(crate) const CSTAR: u32 = 0xc000_0083;
pub(crate) const FLAG_MASK: u32 = 0xc000_0084;
pub(crate) const GS_BASE: u32 = 0xc000_0101;
pub(crate) const KERNEL_GS_BASE: u32 = 0xc000_0102;

/// Reads a register.
///
/// # Safety
/// It exists.
pub(crate) unsafe fn read(register: u32) -> u64 {
    let (low, high): (u64, u64);
    // SAFETY: the caller's word.
    unsafe {
        asm!("rdmsr", in("ecx") register, out("rax") low, out("rdx") high, options(nostack, preserves_flags))
    };
    high << 32 | low
}

/// Writes a register.
///
/// # Safety
/// It exists, takes this value, and what changes is the caller's intent.
pub(crate) unsafe fn write(register: u32, value: u64) {
    // SAFETY: the caller's word.
    unsafe {
        asm!("wrmsr", in("ecx") register, in("eax") value as u32, in("edx") (value >> 32) as u32,
            options(nostack, preserves_flags))
    };
}
