//! Set-up of a CPU's APIC and the two start-up messages, through the `x2apic` crate.

use x2apic::lapic::{LocalApic, LocalApicBuilder, TimerDivide, TimerMode};
use x86_64::instructions::port::PortWriteOnly;

use crate::clock;
use crate::registers::{Register, base, set_base, write};
use crate::{Mode, mode, set_timer_vector};

/// In a local vector: delivers nothing.
const MASKED: u32 = 1 << 16;

/// The APIC could not be set up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InitError;

/// Vectors of the three interrupts that a local APIC makes by itself.
#[derive(Clone, Copy, Debug)]
pub struct Vectors {
    /// One-shot timer.
    pub timer: u8,
    /// Internal error.
    pub error: u8,
    /// Spurious.
    pub spurious: u8,
}

/// Enables this CPU's APIC: timer one-shot, undivided and not armed, local pins masked.
///
/// # Safety
/// 1. `page` is where the APIC's page is mapped uncached for as long as the kernel runs, the same
///    for all CPUs; it is used only where there is no x2APIC.
/// 2. Interrupts are off, the interrupt table has the three vectors.
#[inline(never)]
#[unsafe(link_section = ".text.apic.init")]
pub unsafe fn init_cpu(page: usize, vectors: Vectors) -> Result<Mode, InitError> {
    if has_x2apic() {
        clock::watch();
    }
    let mut apic = build(page, vectors)?;
    // SAFETY: the caller's facts; the timer that the crate starts has an initial count of zero.
    unsafe { apic.enable() };
    let chosen = if has_x2apic() { 0 } else { page };
    if base() != chosen {
        set_base(chosen);
    }
    write(Register::LvtLint0, MASKED);
    write(Register::LvtLint1, MASKED);
    write(Register::LvtPerformance, MASKED);
    set_timer_vector(vectors.timer);
    Ok(mode())
}

/// Masks both 8259 controllers, which the firmware leaves live.
pub fn mask_pic() {
    for port in [0x21u16, 0xa1] {
        // SAFETY: the mask registers of the two controllers.
        unsafe { PortWriteOnly::new(port).write(0xff_u8) };
    }
}

/// Sends INIT: the CPU stops and waits for a start-up message.
///
/// # Safety
/// `to` is a CPU that nothing runs on.
pub unsafe fn send_init(to: u32) {
    let mut apic = sender();
    // SAFETY: the caller's word.
    unsafe { apic.send_init_ipi(destination(to)) };
}

/// Sends a start-up message: the CPU begins, in real mode, at physical address `page * 4096`.
///
/// # Safety
/// Code that brings it up lies there; `to` was sent INIT.
pub unsafe fn send_startup(to: u32, page: u8) {
    let mut apic = sender();
    // SAFETY: the caller's word.
    unsafe { apic.send_sipi(page, destination(to)) };
}

/// Moves a destination to where the crate's memory-mapped mode wants it (its issue 29).
fn destination(to: u32) -> u32 {
    match mode() {
        Mode::X2Apic => to,
        Mode::XApic => to << 24,
    }
}

fn sender() -> LocalApic {
    let unused = Vectors { timer: 0xff, error: 0xff, spurious: 0xff };
    build(base(), unused).expect("all that the builder asks for is given")
}

fn build(page: usize, vectors: Vectors) -> Result<LocalApic, InitError> {
    LocalApicBuilder::new()
        .timer_vector(vectors.timer.into())
        .error_vector(vectors.error.into())
        .spurious_vector(vectors.spurious.into())
        .timer_mode(TimerMode::OneShot)
        .timer_divide(TimerDivide::Div1)
        .timer_initial(0)
        .set_xapic_base(page as u64)
        .build()
        .map_err(|_| InitError)
}

/// Asks the CPU as the crate does, so that both choose the same interface.
fn has_x2apic() -> bool {
    core::arch::x86_64::__cpuid(1).ecx & 1 << 21 != 0
}
