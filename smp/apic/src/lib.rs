//! The local APIC: x2APIC registers where the CPU has them, memory-mapped ones where not.
//!
//! Set-up and start-up messages go through the `x2apic` crate, wrapped because in memory-mapped mode it
//! takes the destination unshifted. What a measured path uses (message, end of interrupt, timer) is
//! written here directly, a handful of instructions each.
#![no_std]

/// Which register interface is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Memory-mapped, 8-bit destinations.
    XApic,
    /// Model-specific registers, 32-bit destinations.
    X2Apic,
}

/// Returns the interface in use.
pub fn mode() -> Mode { todo!() }
/// Returns this CPU's number.
pub fn id() -> u32 { todo!() }
/// Sends an interrupt to one CPU.
pub fn send_ipi(to: u32, vector: u8) { todo!() }
/// Sends a non-maskable interrupt to one CPU.
pub fn send_nmi(to: u32) { todo!() }
/// Sends a non-maskable interrupt to all others.
pub fn send_nmi_others() { todo!() }
/// Sends an interrupt to all others.
pub fn send_ipi_others(vector: u8) { todo!() }
/// Ends the interrupt in service.
pub fn end_of_interrupt() { todo!() }
/// Arms this CPU's one-shot timer; a new value replaces the old.
pub fn arm_timer(ticks: u32) { todo!() }
/// Stops this CPU's timer.
pub fn disarm_timer() { todo!() }
/// Returns how many ticks are left.
pub fn timer_left() -> u32 { todo!() }
