//! Keeps the accesses to the timer's registers where QEMU can count instructions: in code pages of their own, watched.
//!
//! Under `-icount`, QEMU reads the virtual clock exactly only at the last instruction of a translated block. Memory-mapped
//! and port accesses are retranslated for that, writes to x2APIC registers are not: QEMU 10 ends with "Bad icount read" when
//! one reaches the timer. In a code page that holds an execution breakpoint, every block is one instruction long. So all
//! functions that touch the timer lie in section `.text.apic`, and each CPU sets a breakpoint in each of its pages, on the
//! last byte, where no instruction begins but by accident; [`is_breakpoint`] makes such an accident harmless.
//!
//! Delete this module when the oldest supported QEMU reads its clock there.

use core::arch::asm;

use x86_64::registers::debug::{DebugAddressRegister, Dr0, Dr1, Dr2, Dr3, Dr6, Dr6Flags, Dr7};

/// Bytes of a page.
const PAGE: usize = 4096;
/// Local and global enable bits of one breakpoint: on execution, one byte.
const ENABLE: u64 = 0b11;
/// Bits of the status register that say which breakpoint was met.
const MET: u64 = Dr6Flags::TRAP.bits();

unsafe extern "C" {
    #[link_name = "__apic_start"]
    static START: u8;
    #[link_name = "__apic_end"]
    static END: u8;
}

/// Watches the pages of the timer's code on this CPU. Before its first access to the timer.
pub(crate) fn watch() {
    let (start, end) = ((&raw const START).addr(), (&raw const END).addr());
    let mut control = 0;
    for (index, page) in (start..end).step_by(PAGE).enumerate() {
        let last = (page + PAGE - 1) as u64;
        match index {
            // These registers are used by nothing else; a breakpoint only traps (`is_breakpoint`).
            0 => Dr0::write(last),
            1 => Dr1::write(last),
            2 => Dr2::write(last),
            3 => Dr3::write(last),
            _ => unreachable!("the linker script asserts four pages at most"),
        }
        control |= ENABLE << (2 * index);
    }
    Dr7::write_raw(control);
}

/// Whether the debug trap in progress came from one of these breakpoints; forgets it. The handler goes on with the resume
/// flag set.
pub fn is_breakpoint() -> bool {
    let status = Dr6::read_raw();
    let met = status & MET != 0;
    if met {
        // SAFETY: clears the debug status.
        unsafe {
            asm!("mov dr6, {}", in(reg) status & !MET, options(nomem, nostack, preserves_flags))
        };
    }
    met
}
