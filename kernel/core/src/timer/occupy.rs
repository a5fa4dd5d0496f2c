//! Work without instructions: a thread has its CPU, and lets time pass.
//!
//! The CPU halts in the time of the running thread, so the kernel sees one that computes: it is nobody's to have until the
//! thread gives way, and what arrives is served and takes its time. In mode `insns`, where one CPU executes at a time, threads
//! of several CPUs work at the same time all the same.

use super::{NEVER, arm, now, rearm};
use crate::cpu::{self, here};
use crate::ipi;
use core::sync::atomic::Ordering::Relaxed;
use percpu::Crit;

/// Nanoseconds before the end at which the timer fires: its interrupt takes about 200 instructions.
const LEAD: u64 = 220;

/// Occupies the CPU until `nanoseconds` after `since`, a moment that has just been, or until there is something else to do, which the
/// end of the critical section does. Says how many have passed. In the outermost critical section.
pub fn occupy(crit: &Crit, since: u64, nanoseconds: u64) -> u64 {
    let until = since + nanoseconds;
    if now() + LEAD < until {
        halt(crit, until - LEAD);
    }
    // What is left is counted out: the timer is not that exact.
    while now() < until && !arch::cpu::is_pending() {}
    now() - since
}

/// Halts until a moment, or until something arrives. Nothing is left to do if that was the moment.
fn halt(crit: &Crit, moment: u64) {
    let cpu = here();
    let is_first = moment < cpu.deadline.load(Relaxed);
    if is_first {
        cpu.deadline.store(moment, Relaxed);
        arm(moment);
    }
    // SAFETY: in a critical section handlers only leave marks.
    unsafe { arch::irq::idle(|| ipi::is_noted(crit) || arch::cpu::is_pending()) };
    if !is_first {
        return;
    }
    if cpu.timer_due.load(Relaxed) {
        // It was for this alone, and is armed for nothing now.
        cpu.timer_due.store(false, Relaxed);
        cpu.deadline.store(NEVER, Relaxed);
        rearm(crit);
        cpu::serve_at_rest(crit);
    } else {
        rearm(crit);
    }
}
