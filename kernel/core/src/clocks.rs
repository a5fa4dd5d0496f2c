//! Whether the CPUs' counters agree: each is held against the first CPU's when its CPU comes up, by exchanges through one cache line.
//!
//! | step | first CPU | the CPU that comes up |
//! |---|---|---|
//! | 1 | reads its counter; stores the number of the exchange, release | |
//! | 2 | | sees the number, acquire; reads its counter; stores that, then the number, release |
//! | 3 | sees the number, acquire; reads its counter | |
//!
//! Law: in boot, one CPU at a time, interrupts off on both: nobody sends either of them anything meanwhile.

use crate::{boot, plant};
use arch::{irq, time};
use clocks::{Exchange, Offset, Spread};
use core::sync::atomic::{AtomicU64, Ordering};
use percpu::CpuId;
use spin::Mutex;

/// Exchanges with each CPU: under parallel emulation the host may take a CPU away in the middle of some.
const EXCHANGES: u64 = 16;

/// Where a question and its answer meet.
#[repr(align(64))]
struct Meeting {
    /// Number of the exchange that has begun.
    asked: AtomicU64,
    /// Number of the exchange that was answered, and by what.
    answered: AtomicU64,
    counter: AtomicU64,
}

static MEETING: Meeting =
    Meeting { asked: AtomicU64::new(0), answered: AtomicU64::new(0), counter: AtomicU64::new(0) };

/// What was found so far.
static SPREAD: Mutex<Spread> = Mutex::new(Spread { within: 0, apart: 0, worst: 0 });

/// The numbers of the exchanges with a CPU: no other has them.
fn numbers(cpu: CpuId) -> core::ops::Range<u64> {
    let first = cpu.index() as u64 * EXCHANGES;
    first..first + EXCHANGES
}

/// How far the CPUs' counters are apart, as far as boot could tell.
pub fn spread() -> Spread {
    *SPREAD.lock()
}

/// Holds the counter of a CPU that comes up against this one's. On the first CPU.
pub(crate) fn ask(cpu: CpuId) {
    let exchange = |number| {
        let sent = time::tsc_begin();
        // Pairs with: `answer`, acquire.
        MEETING.asked.store(number, Ordering::Release);
        // Pairs with: `answer`, release.
        while MEETING.answered.load(Ordering::Acquire) != number {
            irq::pause();
        }
        let got = time::tsc_begin();
        Exchange { sent, answered: MEETING.counter.load(Ordering::Relaxed), got }
    };
    let offset = numbers(cpu).map(exchange).map(Offset::of).fold(Offset::UNKNOWN, Offset::and);
    SPREAD.lock().add(cpu.index(), offset);
}

/// Answers the first CPU. On the CPU that comes up.
pub(crate) fn answer(cpu: CpuId) {
    let planted = plant::clock_ahead(cpu.index() + 1 == boot::expected());
    for number in numbers(cpu) {
        // Pairs with: `ask`, release.
        while MEETING.asked.load(Ordering::Acquire) != number {
            irq::pause();
        }
        let counter = time::tsc_begin().wrapping_add(planted);
        MEETING.counter.store(counter, Ordering::Relaxed);
        // Pairs with: `ask`, acquire.
        MEETING.answered.store(number, Ordering::Release);
    }
}
