//! Clocks of the CPU: the time-stamp counter and what it was measured to be.

use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering};

/// What boot measured against the ACPI timer, and how the counters relate to nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// Ticks of the time-stamp counter per second.
    pub tsc: u64,
    /// Ticks of the local timer per second.
    pub timer: u64,
}

static TSC_RATE: AtomicU64 = AtomicU64::new(0);
static TIMER_RATE: AtomicU64 = AtomicU64::new(0);

/// Returns the measured rates. Zero before boot measured them.
pub fn rates() -> Rates {
    Rates { tsc: TSC_RATE.load(Ordering::Relaxed), timer: TIMER_RATE.load(Ordering::Relaxed) }
}

/// Returns the time-stamp counter.
#[inline(always)]
pub fn tsc() -> u64 {
    let (low, high): (u64, u64);
    // SAFETY: reads a counter.
    unsafe { asm!("rdtsc", out("rax") low, out("rdx") high, options(nomem, nostack, preserves_flags)) };
    high << 32 | low
}

/// Returns the counter at the start of a measured stretch: nothing before it is still running.
#[inline(always)]
pub fn tsc_begin() -> u64 {
    let (low, high): (u64, u64);
    // SAFETY: reads a counter; not `nomem`, so that the stretch cannot move over it.
    unsafe { asm!("lfence", "rdtsc", "lfence", out("rax") low, out("rdx") high, options(nostack, preserves_flags)) };
    high << 32 | low
}

/// Returns the counter at the end of a measured stretch: everything before it is done.
#[inline(always)]
pub fn tsc_end() -> u64 {
    let (low, high): (u64, u64);
    // SAFETY: reads a counter; not `nomem`, so that the stretch cannot move over it.
    unsafe { asm!("rdtscp", "lfence", out("rax") low, out("rdx") high, out("rcx") _, options(nostack, preserves_flags)) };
    high << 32 | low
}
