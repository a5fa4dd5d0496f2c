//! The registers that measured paths touch, by either interface.
//!
//! One word, [`BASE`], says which: zero is x2APIC, else the address at which the page is mapped. It is
//! written once by the first CPU before any other runs, and never changes.

use core::arch::asm;
use core::sync::atomic::{AtomicUsize, Ordering};

use percpu::Crit;

/// Where the registers are mapped; zero in x2APIC mode. For assembly that must not call.
pub static BASE: AtomicUsize = AtomicUsize::new(0);

/// Registers by their number: `0x800 + number` as MSR, `number * 16` in the page.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Register {
    Id = 0x02,
    EndOfInterrupt = 0x0b,
    InService = 0x10,
    Command = 0x30,
    CommandHigh = 0x31,
    LvtTimer = 0x32,
    LvtPerformance = 0x34,
    LvtLint0 = 0x35,
    LvtLint1 = 0x36,
    TimerInitial = 0x38,
    TimerCurrent = 0x39,
}

/// Command register: the last message has not left yet.
const DELIVERY_PENDING: u32 = 1 << 12;

#[inline(always)]
pub(crate) fn base() -> usize {
    BASE.load(Ordering::Relaxed)
}

pub(crate) fn set_base(address: usize) {
    BASE.store(address, Ordering::Relaxed);
}

#[inline(always)]
fn page(base: usize, register: u32) -> *mut u32 {
    (base + register as usize * 16) as *mut u32
}

#[inline(always)]
pub(crate) fn write(register: Register, value: u32) {
    match base() {
        0 => write_msr(register, value.into()),
        // SAFETY: `base` is the mapped, uncached APIC page (`init_cpu`, fact 1).
        base => unsafe { page(base, register as u32).write_volatile(value) },
    }
}

#[inline(always)]
pub(crate) fn read(register: Register) -> u32 {
    read_bank(register, 0)
}

/// Reads word `index` of a register that is several words wide.
#[inline(always)]
pub(crate) fn read_bank(register: Register, index: u8) -> u32 {
    let number = register as u32 + u32::from(index);
    match base() {
        0 => {
            let low: u32;
            // SAFETY: an APIC register that exists in x2APIC mode, which this CPU is in (`init_cpu`).
            unsafe {
                asm!("rdmsr", in("ecx") 0x800 + number, out("eax") low, out("edx") _, options(nomem, nostack, preserves_flags))
            };
            low
        }
        // SAFETY: as in `write`.
        base => unsafe { page(base, number).read_volatile() },
    }
}

/// Writes the command register: the message leaves with the write.
#[inline(always)]
pub(crate) fn command(_: &Crit, to: u32, low: u32) {
    match base() {
        0 => {
            // An APIC register write does not wait for earlier stores by itself.
            // SAFETY: fences.
            unsafe { asm!("mfence", "lfence", options(nostack, preserves_flags)) };
            write_msr(Register::Command, u64::from(to) << 32 | u64::from(low));
        }
        base => command_in_page(base, to, low),
    }
}

/// As [`command`], in a handler that may have interrupted one: what that had written is there again when this returns.
pub(crate) fn command_between(to: u32, low: u32) {
    // SAFETY: interrupts are off in a handler: no other comes in between.
    let crit = unsafe { Crit::assume() };
    if base() == 0 {
        return command(&crit, to, low);
    }
    let high = read(Register::CommandHigh);
    command(&crit, to, low);
    // The one that was interrupted may have seen already that it may go on.
    while read(Register::Command) & DELIVERY_PENDING != 0 {
        core::hint::spin_loop();
    }
    write(Register::CommandHigh, high);
}

/// The memory-mapped form is two stores, which no other command may come between: handlers send none in a critical section.
#[inline(always)]
fn command_in_page(base: usize, to: u32, low: u32) {
    let [command, high] =
        [Register::Command, Register::CommandHigh].map(|register| page(base, register as u32));
    // SAFETY: as in `write`.
    while unsafe { command.read_volatile() } & DELIVERY_PENDING != 0 {
        core::hint::spin_loop();
    }
    // SAFETY: as in `write`.
    unsafe { high.write_volatile(to << 24) };
    // SAFETY: as in `write`.
    unsafe { command.write_volatile(low) };
}

#[inline(always)]
fn write_msr(register: Register, value: u64) {
    // SAFETY: an APIC register; what it does is its caller's documented effect.
    unsafe {
        asm!("wrmsr", in("ecx") 0x800 + register as u32, in("eax") value as u32, in("edx") (value >> 32) as u32,
            options(nostack, preserves_flags))
    };
}
