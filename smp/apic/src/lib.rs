//! The local APIC: x2APIC registers where the CPU has them, memory-mapped ones where not.
//!
//! Set-up and start-up messages go through the `x2apic` crate ([`setup`]), wrapped because in
//! memory-mapped mode it takes the destination unshifted. What a measured path uses (message, end of
//! interrupt, timer) is written here directly ([`registers`]), a handful of instructions each: the
//! crate builds a command register bit by bit. Context law: every function acts on the local APIC of
//! the CPU that runs it.
#![no_std]

mod clock;
mod registers;
mod setup;

pub use clock::is_breakpoint;
use percpu::Crit;
pub use registers::BASE;
use registers::{Register, base, read, write};
pub use setup::{InitError, Vectors, init_cpu, mask_pic, send_init, send_startup};

/// Which register interface is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Memory-mapped, 8-bit destinations.
    XApic,
    /// Model-specific registers, 32-bit destinations.
    X2Apic,
}

/// Command: delivery as a non-maskable interrupt.
const NMI: u32 = 4 << 8;
/// Command: level asserted, as every message but one historic form wants it.
const ASSERT: u32 = 1 << 14;
/// Command: all CPUs but this one.
const OTHERS: u32 = 3 << 18;

/// Returns the interface in use. Meaningless before [`init_cpu`].
#[inline]
pub fn mode() -> Mode {
    if base() == 0 { Mode::X2Apic } else { Mode::XApic }
}

/// Returns this CPU's number.
pub fn id() -> u32 {
    match mode() {
        Mode::X2Apic => read(Register::Id),
        Mode::XApic => read(Register::Id) >> 24,
    }
}

/// Sends an interrupt to one CPU. What this CPU stored before is visible to the handler.
#[inline(always)]
pub fn send_ipi(crit: &Crit, to: u32, vector: u8) {
    registers::command(crit, to, u32::from(vector) | ASSERT);
}

/// As [`send_ipi`], from a handler, with interrupts off, that may have come between the two halves of another command.
pub fn send_ipi_between(to: u32, vector: u8) {
    registers::command_between(to, u32::from(vector) | ASSERT);
}

/// Sends a non-maskable interrupt to one CPU.
pub fn send_nmi(crit: &Crit, to: u32) {
    registers::command(crit, to, NMI | ASSERT);
}

/// Sends a non-maskable interrupt to all other CPUs.
pub fn send_nmi_others(crit: &Crit) {
    registers::command(crit, 0, NMI | ASSERT | OTHERS);
}

/// Byte offset of the end-of-interrupt register from [`BASE`], and its MSR in x2APIC mode: for assembly.
pub const END_OF_INTERRUPT: (u32, u32) =
    (Register::EndOfInterrupt as u32 * 16, 0x800 + Register::EndOfInterrupt as u32);

/// Ends the interrupt in service.
#[inline]
pub fn end_of_interrupt() {
    write(Register::EndOfInterrupt, 0);
}

/// Arms this CPU's one-shot timer to fire after `ticks`; a new value replaces the old, zero stops it.
#[inline(never)]
#[unsafe(link_section = ".text.apic.timer")]
pub fn arm_timer(ticks: u32) {
    write(Register::TimerInitial, ticks);
}

/// Stops this CPU's timer. An interrupt that it already raised still arrives.
#[inline]
pub fn disarm_timer() {
    arm_timer(0);
}

/// Returns how many ticks this CPU's timer has left; zero when it is not armed.
#[inline(never)]
#[unsafe(link_section = ".text.apic.timer")]
pub fn timer_left() -> u32 {
    read(Register::TimerCurrent)
}

/// Directs this CPU's timer, one-shot, to a vector.
#[inline(never)]
#[unsafe(link_section = ".text.apic.timer")]
pub fn set_timer_vector(vector: u8) {
    write(Register::LvtTimer, u32::from(vector));
}

/// True when `vector` is in service on this CPU: it came by the APIC and wants an end of interrupt.
pub fn in_service(vector: u8) -> bool {
    registers::read_bank(Register::InService, vector >> 5) >> (vector & 31) & 1 == 1
}
