//! Clocks of the CPU: the time-stamp counter and what it was measured to be.

use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering};

use x86_64::instructions::port::{Port, PortReadOnly, PortWriteOnly};

use crate::irq;

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
    unsafe {
        asm!("rdtsc", out("rax") low, out("rdx") high, options(nomem, nostack, preserves_flags))
    };
    high << 32 | low
}

/// Returns the counter at the start of a measured stretch: nothing before it is still running.
#[inline(always)]
pub fn tsc_begin() -> u64 {
    let (low, high): (u64, u64);
    // SAFETY: reads a counter; not `nomem`, so that the stretch cannot move over it.
    unsafe {
        asm!("lfence", "rdtsc", "lfence", out("rax") low, out("rdx") high, options(nostack, preserves_flags))
    };
    high << 32 | low
}

/// Returns the counter at the end of a measured stretch: everything before it is done.
#[inline(always)]
pub fn tsc_end() -> u64 {
    let (low, high): (u64, u64);
    // SAFETY: reads a counter; not `nomem`, so that the stretch cannot move over it.
    unsafe {
        asm!("rdtscp", "lfence", out("rax") low, out("rdx") high, out("rcx") _, options(nostack, preserves_flags))
    };
    high << 32 | low
}

/// A counter of known rate that every PC has.
#[derive(Clone, Copy)]
enum Reference {
    /// ACPI's timer, at its port: 24 bits, rising.
    PowerManagement(u16),
    /// Channel 2 of the interval timer: 16 bits, falling.
    Interval,
}

impl Reference {
    fn rate(self) -> u64 {
        match self {
            Reference::PowerManagement(_) => 3_579_545,
            Reference::Interval => 1_193_182,
        }
    }

    fn begin(self) {
        if let Reference::Interval = self {
            // Gate on, speaker off; channel 2, both bytes, one shot; from the top.
            for (at, value) in [(0x61, 1), (0x43, 0xb0), (0x42, 0xff), (0x42, 0xff)] {
                // SAFETY: registers of the interval timer, which nothing else uses.
                unsafe { PortWriteOnly::<u8>::new(at).write(value) };
            }
        }
    }

    fn read(self) -> u64 {
        match self {
            Reference::PowerManagement(at) => {
                // SAFETY: reads ACPI's timer.
                u64::from(unsafe { PortReadOnly::<u32>::new(at).read() } & 0xff_ffff)
            }
            Reference::Interval => {
                let (mut control, mut count) =
                    (PortWriteOnly::<u8>::new(0x43), Port::<u8>::new(0x42));
                // SAFETY: latches channel 2.
                unsafe { control.write(0x80) };
                // SAFETY: reads the latched count, low byte first.
                let low = unsafe { count.read() };
                // SAFETY: as above.
                let high = unsafe { count.read() };
                u64::from(!u16::from_le_bytes([low, high]))
            }
        }
    }

    /// Returns the ticks from `start` to `end`, over at most one wrap.
    fn between(self, start: u64, end: u64) -> u64 {
        let mask = if let Reference::Interval = self { 0xffff } else { 0xff_ffff };
        end.wrapping_sub(start) & mask
    }
}

/// The three clocks, read as close together as `width` ticks of the counter.
#[derive(Clone, Copy)]
struct Sample {
    reference: u64,
    tsc: u64,
    timer: u64,
    width: u64,
}

/// Reads the clocks several times and keeps the closest reading: the host may interrupt any of them.
fn sample(reference: Reference) -> Sample {
    let one = |_| {
        let before = tsc_begin();
        let (counted, timer) = (reference.read(), u64::from(apic::timer_left()));
        let after = tsc_end();
        Sample { reference: counted, tsc: before, timer, width: after - before }
    };
    (0..8).map(one).min_by_key(|s| s.width).expect("the range is not empty")
}

/// Measures both rates against ACPI's timer at `timer_port`, or the interval timer when that is zero.
/// Uses this CPU's local timer, whose interrupt does not come to pass.
pub(crate) fn calibrate(timer_port: u16) {
    /// Part of a second that is enough for three digits, and short in `insns` mode.
    const PART: u64 = 500;
    let reference =
        if timer_port == 0 { Reference::Interval } else { Reference::PowerManagement(timer_port) };
    reference.begin();
    apic::arm_timer(u32::MAX);
    let start = sample(reference);
    while reference.between(start.reference, reference.read()) < reference.rate() / PART {
        irq::pause();
    }
    let end = sample(reference);
    apic::disarm_timer();
    let counted = reference.between(start.reference, end.reference);
    let per_second = |ticks: u64| {
        (u128::from(ticks) * u128::from(reference.rate()) / u128::from(counted)) as u64
    };
    TSC_RATE.store(per_second(end.tsc - start.tsc), Ordering::Relaxed);
    TIMER_RATE.store(per_second(start.timer - end.timer), Ordering::Relaxed);
}
