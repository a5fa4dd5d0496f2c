//! The interrupt table, one for all CPUs: filled once, by the first, and then read by hardware only.

use core::cell::UnsafeCell;

use x86_64::PrivilegeLevel::Ring3;
use x86_64::VirtAddr;
use x86_64::instructions::tables::{DescriptorTablePointer, lidt};
use x86_64::structures::idt::{Entry, HandlerFunc};

use super::{CRITICAL, KERNEL_CODE};
use crate::trap::{stub_address, vector};

type Gates = [Entry<HandlerFunc>; 256];

struct Table(UnsafeCell<Gates>);

// SAFETY: written by `fill`, before a second CPU runs; read by hardware only.
unsafe impl Sync for Table {}

static TABLE: Table = Table(UnsafeCell::new([Entry::missing(); 256]));

/// Fills the table. Its stubs do not have the shape that the type of a gate's handler would say; they save registers first.
///
/// # Safety
/// Once, before any CPU loads it.
pub(super) unsafe fn fill() {
    let mut gates: Gates = [Entry::missing(); 256];
    for (number, gate) in (0..=u8::MAX).zip(&mut gates) {
        // SAFETY: the stub takes what the CPU pushes for this vector.
        let options = unsafe { gate.set_handler_addr(VirtAddr::new(stub_address(number) as u64)) };
        // SAFETY: ring 0's code in the segments of every CPU.
        unsafe { options.set_code_selector(KERNEL_CODE) };
        if let Some(stack) = CRITICAL.iter().position(|critical| *critical == u64::from(number)) {
            // SAFETY: each CPU has a stack of its own there (`CpuTables::fill`), and no other vector has.
            unsafe { options.set_stack_index(stack as u16) };
        }
        if matches!(u64::from(number), vector::BREAKPOINT | vector::FOREIGN) {
            options.set_privilege_level(Ring3);
        }
    }
    // SAFETY: the caller's word.
    unsafe { TABLE.0.get().write(gates) };
}

/// Has this CPU use the table.
pub(super) fn load() {
    let limit = size_of::<Gates>() as u16 - 1;
    let table = DescriptorTablePointer { limit, base: VirtAddr::from_ptr(TABLE.0.get()) };
    // SAFETY: it was filled before any CPU gets here, and lives for ever.
    unsafe { lidt(&table) };
}

/// Takes this CPU's table away: at the next trap the processor finds no handler and shuts down.
///
/// # Safety
/// The machine is meant to end here.
pub(crate) unsafe fn lose() {
    let nothing = DescriptorTablePointer { limit: 0, base: VirtAddr::zero() };
    // SAFETY: the caller's word.
    unsafe { lidt(&nothing) };
}
