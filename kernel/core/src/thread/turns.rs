//! Turns among equals: a tick ends the turn of the running thread, while somebody else could run.
//!
//! Kernel threads do not preempt each other: the tick leaves a mark, which is honoured on the way to ring 3 and where a thread
//! [breathes](breathe). Nobody contending, no timer. Law: arming costs nothing where threads switch, wake and block; it is done
//! from `breathe` itself, once in [`BREATHS`], and on the way to ring 3 (`process::tick`).

use super::{Scheduler, yield_now};
use crate::cpu::{Cpu, critical, here};
use crate::{process, timer};
use core::mem::offset_of;
use core::sync::atomic::Ordering;
use lwkt_sched::MayBlock;
use percpu::Crit;

/// How long a kernel thread runs before its equals do, in nanoseconds, if it breathes.
const TURN: u64 = 10_000_000;

/// Breaths between two looks whether somebody else could run.
const BREATHS: u32 = 64;

/// A place in a long computation where others may run: costs a count, and switches only when the turn is over.
#[inline(always)]
pub fn breathe(cx: &mut MayBlock) {
    // SAFETY: the offset is that of the word.
    if unsafe { arch::cpu::count_down::<{ offset_of!(Cpu, breaths) }>() } {
        take_turn(cx);
    }
}

/// A place where others may run if the turn is over, without a count of breaths: where a thread does not compute but
/// [occupies](timer::occupy) its CPU. True if it was over.
#[cold]
#[inline(never)]
pub fn take_turn(cx: &mut MayBlock) -> bool {
    let over = critical(|crit| {
        let cpu = here();
        if cpu.scheduler.with(crit, |s| s.lender() != s.current()) {
            // A borrower has no turn; its victim looks where it next breathes.
            cpu.breaths.store(1, Ordering::Relaxed);
            return false;
        }
        cpu.breaths.store(BREATHS, Ordering::Relaxed);
        let me = cpu.scheduler.with(crit, |s| s.current());
        // A mark that another thread left, which has not breathed since, says nothing of this one's turn.
        let over = cpu.turn_over.load(Ordering::Relaxed) == me.into_word();
        cpu.turn_over.store(0, Ordering::Relaxed);
        let contended = cpu.scheduler.with(crit, |s| s.contended(crit));
        if contended && !over {
            let latest = timer::now() + TURN;
            // A CPU process has a tick of its own.
            match process::is_current(crit) {
                true => timer::tick_by(crit, latest),
                false => timer::grant_turn(crit, latest),
            }
        }
        over
    });
    if over {
        yield_now(cx);
    }
    over
}

/// The running thread gives way, since its turn is over.
pub(crate) fn next_turn(cx: &mut MayBlock) {
    critical(|_| here().turn_over.store(0, Ordering::Relaxed));
    yield_now(cx);
}

/// The tick came: asks the policy whether another should run; but one that a CPU process has left behind ends no other's turn.
///
/// Of a victim's turn the policy is not asked, since it would be of the borrower's: the turn is over, and there is no other tick for it.
pub(crate) fn tick(crit: &Crit, is_its: bool) {
    let is_over = |s: &mut Scheduler| s.lender() != s.current() || s.tick(crit);
    if is_its && here().scheduler.with(crit, is_over) {
        end_turn(crit);
    }
}

/// The running thread, or the victim whose CPU is lent out, gives way where it next may.
pub(super) fn end_turn(crit: &Crit) {
    let cpu = here();
    let lender = cpu.scheduler.with(crit, |s| s.lender());
    cpu.turn_over.store(lender.into_word(), Ordering::Relaxed);
    cpu.breaths.store(1, Ordering::Relaxed);
    process::tick(crit);
}
