//! Port input and output, one instruction each.

use core::arch::asm;

/// Writes a byte.
///
/// # Safety
/// The device behind the port does nothing that Rust forbids.
#[inline]
pub unsafe fn write8(port: u16, value: u8) {
    // SAFETY: the caller's word.
    unsafe {
        asm!("out dx, al", in("dx") port, in("al") value, options(nomem, nostack, preserves_flags))
    };
}

/// Writes 16 bits.
///
/// # Safety
/// As [`write8`].
#[inline]
pub unsafe fn write16(port: u16, value: u16) {
    // SAFETY: the caller's word.
    unsafe {
        asm!("out dx, ax", in("dx") port, in("ax") value, options(nomem, nostack, preserves_flags))
    };
}

/// Writes a run of bytes (`rep outsb`).
///
/// # Safety
/// As [`write8`].
#[inline]
pub unsafe fn write_bytes(port: u16, bytes: &[u8]) {
    // SAFETY: the string instruction reads the slice and no more; the device is the caller's word.
    unsafe {
        asm!("rep outsb", in("dx") port, inout("rsi") bytes.as_ptr() => _, inout("rcx") bytes.len() => _,
            options(readonly, nostack, preserves_flags))
    };
}

/// Reads a byte.
///
/// # Safety
/// As [`write8`].
#[inline]
pub unsafe fn read8(port: u16) -> u8 {
    let value;
    // SAFETY: the caller's word.
    unsafe {
        asm!("in al, dx", in("dx") port, out("al") value, options(nomem, nostack, preserves_flags))
    };
    value
}

/// Reads 32 bits.
///
/// # Safety
/// As [`write8`].
#[inline]
pub unsafe fn read32(port: u16) -> u32 {
    let value;
    // SAFETY: the caller's word.
    unsafe {
        asm!("in eax, dx", in("dx") port, out("eax") value, options(nomem, nostack, preserves_flags))
    };
    value
}
