//! Leaving: QEMU's debug exit, or the machine's power switch.

use core::sync::atomic::{AtomicU32, Ordering};

use x86_64::instructions::interrupts::int3;
use x86_64::instructions::port::PortWriteOnly;

use crate::irq;

/// Port of QEMU's `isa-debug-exit` as the runner sets it up.
pub(crate) const DEBUG_EXIT: u16 = 0xf4;
/// Port of QEMU's `pvpanic`.
const PANIC: u16 = 0x505;
/// Power management control: enter the sleep state chosen beside it.
const SLEEP: u16 = 1 << 13;

/// How the run ended; what is written to the debug port (QEMU's exit status = value * 2 + 1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Exit {
    /// Status 33.
    Success = 0x10,
    /// Status 35: a test failed.
    Failed = 0x11,
    /// Status 37.
    Panic = 0x12,
    /// Status 39: boot refused or failed.
    Boot = 0x13,
}

/// The power switch as boot found it in the ACPI tables: control port in the low half, value above.
static SWITCH: AtomicU32 = AtomicU32::new(0);

/// Notes the power switch: the control port and the sleep type that means "off".
pub(crate) fn set_switch(control: u16, sleep_type: u8) {
    let value = u16::from(sleep_type & 7) << 10 | SLEEP;
    SWITCH.store(u32::from(value) << 16 | u32::from(control), Ordering::Relaxed);
}

/// Has the processor give up: an exception with no table to find its handler in. For tests of what watches.
pub fn triple_fault() -> ! {
    // SAFETY: the machine ends here, which is what is asked for.
    unsafe { crate::tables::lose_interrupts() };
    int3();
    irq::halt()
}

/// Tells the machine of a panic, where it has a device for that (QEMU's `pvpanic`): whoever watches can look at the CPUs
/// before they go.
pub(crate) fn tell_of_panic() {
    // SAFETY: without the device the write goes nowhere.
    unsafe { PortWriteOnly::new(PANIC).write(1_u8) };
}

/// Has whoever watches begin or end to write down every instruction of the machine, which stands still until that is done:
/// the two marks of `pvpanic`, "a crash kernel runs" and then "panic", which no real panic gives in this order.
pub fn toggle_path() {
    // SAFETY: without the device the write goes nowhere.
    unsafe { PortWriteOnly::new(PANIC).write(2_u8) };
    // SAFETY: as above.
    unsafe { PortWriteOnly::new(PANIC).write(1_u8) };
}

/// Ends the run: debug exit, else power-off, else halts.
pub fn exit(how: Exit) -> ! {
    // SAFETY: ends the virtual machine; without the device the write goes nowhere.
    unsafe { PortWriteOnly::new(DEBUG_EXIT).write(how as u8) };
    let switch = SWITCH.load(Ordering::Relaxed);
    if switch != 0 {
        // SAFETY: the power management control register that the ACPI tables name.
        unsafe { PortWriteOnly::new(switch as u16).write((switch >> 16) as u16) };
    }
    irq::halt()
}
