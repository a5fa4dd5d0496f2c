//! What a CPU does that has nobody to run: sleeps until an interrupt, and notices when nobody will ever send one.
//!
//! ```text
//!   rest ─▶ count me as idle ─▶ hlt ... interrupt ─▶ count me out ─▶ do what arrived
//!              └─ all idle, no timer armed, no message under way: a deadlock, reported
//! ```

use crate::cpu::{self, here};
use crate::{chaos, ipi, timer};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use percpu::{CpuId, Crit};

/// Bits 0 to 15: CPUs that rest. Bits 16 to 31: those among them that wait for a time. Above: how often one stopped resting,
/// so that a word that is the same twice means that nobody did in between.
static RESTING: AtomicU64 = AtomicU64::new(0);
const ONE: u64 = 1;
const ONE_TIMED: u64 = 1 << 16;
const ONE_LEFT: u64 = 1 << 32;
/// Whether quiescence is a deadlock: not before the first thread runs, not after the last.
static WATCHING: AtomicBool = AtomicBool::new(false);

/// Says whether somebody has to run until further notice.
pub(crate) fn watch(on: bool) {
    WATCHING.store(on, Ordering::Relaxed);
}

/// Sleeps until an interrupt and does what arrived with it. In the outermost critical section.
#[inline]
pub(crate) fn rest(crit: &Crit) {
    chaos::rest(crit);
    let me = if timer::is_armed(crit) { ONE_TIMED | ONE } else { ONE };
    // Pairs with: itself on other CPUs. A read-modify-write, so the CPU that rests last sees that it is the last.
    let resting = RESTING.fetch_add(me, Ordering::AcqRel).wrapping_add(me);
    if resting as u32 == cpu::count() as u32 && WATCHING.load(Ordering::Relaxed) {
        quiescent(crit, resting);
    }
    // SAFETY: in a critical section handlers only leave marks.
    unsafe { arch::irq::idle(|| arch::cpu::is_pending() || ipi::is_marked(crit)) };
    RESTING.fetch_add(ONE_LEFT.wrapping_sub(me), Ordering::AcqRel);
    chaos::rested(crit);
    cpu::serve(crit);
    ipi::tick(crit);
}

/// The last CPU came to rest: reports a deadlock unless something is under way after all.
#[cold]
fn quiescent(crit: &Crit, resting: u64) {
    // What was sent to a CPU leaves a mark until that CPU has stopped resting. Looked at while nobody stopped, no mark
    // means that nothing was under way.
    let marked = (0..cpu::count()).any(|index| ipi::is_marked_on(CpuId::at(index)));
    // Pairs with: `rest`, release: who stops resting is seen to have, before what it then takes away is.
    fence(Ordering::Acquire);
    if marked || arch::cpu::is_pending() || RESTING.load(Ordering::Relaxed) != resting {
        return;
    }
    crate::report::deadlock(crit, here());
}
