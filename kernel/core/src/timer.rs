//! Time on each CPU: one deadline for the hardware, the earliest of what this CPU waits for.
//!
//! ```text
//!   sleeping threads ─┐
//!   callouts         ─┤
//!   tick of turns    ─┼─▶ earliest ─▶ the CPU's one-shot timer
//!   seeded turns     ─┤
//!   look for deadlock ┘
//! ```
//! Law: own CPU only. Nobody waiting: no timer, no interrupt.

mod occupy;

pub use occupy::occupy;

use crate::cpu::{self, here};
use crate::{callout, chaos, faults, idle, interrupt, ipi, process, thread};
use core::sync::atomic::{AtomicU64, Ordering};
use percpu::Crit;

/// No deadline.
pub(crate) const NEVER: u64 = u64::MAX;
/// What the hardware counts in one go; a later deadline is armed again.
const LONGEST: u64 = 1 << 30;

/// The deadlines of a CPU other than its sleeping threads', in nanoseconds since boot.
pub struct Timer {
    tick: u64,
    /// The tick ends the turn of a thread that was [granted](grant_turn) one: another thread finds a tick that is not its own.
    granted: bool,
    chaos: u64,
    callout: u64,
    watch: u64,
    /// When doorbells that are held back are rung, where there are such faults.
    late: [u64; ::faults::ONE],
    /// The first of `chaos`, `callout` and `late`, which change seldom.
    seldom: u64,
}

impl Timer {
    pub(crate) const fn new() -> Self {
        let late = [NEVER; ::faults::ONE];
        Self {
            tick: NEVER,
            granted: false,
            chaos: NEVER,
            callout: NEVER,
            watch: NEVER,
            late,
            seldom: NEVER,
        }
    }

    fn change<R>(&mut self, f: impl FnOnce(&mut Self) -> R) -> R {
        let result = f(self);
        self.seldom = self.late.iter().fold(self.chaos.min(self.callout), |a, b| a.min(*b));
        result
    }
}

/// How the counters of this machine become nanoseconds: written once by [`init`], before any other CPU runs.
static TSC_AT_BOOT: AtomicU64 = AtomicU64::new(0);
static NANOS_PER_TSC: AtomicU64 = AtomicU64::new(1 << 32);
static TIMER_PER_NANO: AtomicU64 = AtomicU64::new(1 << 32);

/// Reads what boot measured.
pub(crate) fn init() {
    let rates = arch::time::rates();
    let scale = |from: u64, to: u64| ((u128::from(to) << 32) / u128::from(from.max(1))) as u64;
    TSC_AT_BOOT.store(arch::time::tsc(), Ordering::Relaxed);
    NANOS_PER_TSC.store(scale(rates.tsc, 1_000_000_000), Ordering::Relaxed);
    TIMER_PER_NANO.store(scale(1_000_000_000, rates.timer), Ordering::Relaxed);
}

/// Nanoseconds since boot, the same on all CPUs as far as their counters are.
#[inline]
pub fn now() -> u64 {
    let ticks = arch::time::tsc().wrapping_sub(TSC_AT_BOOT.load(Ordering::Relaxed));
    ((u128::from(ticks) * u128::from(NANOS_PER_TSC.load(Ordering::Relaxed))) >> 32) as u64
}

/// What ring 3 needs to read the clock by itself: counter at boot, nanoseconds per tick in units of 2⁻³².
pub(crate) fn clock_scale() -> (u64, u64) {
    (TSC_AT_BOOT.load(Ordering::Relaxed), NANOS_PER_TSC.load(Ordering::Relaxed))
}

/// Sets or clears the tick of the CPU process that runs here: for its user threads, or its equals.
pub(crate) fn set_tick(crit: &Crit, deadline: Option<u64>) {
    here()
        .timer
        .with(crit, |timer| (timer.tick, timer.granted) = (deadline.unwrap_or(NEVER), false));
    rearm(crit);
}

/// Has the tick of the CPU process that runs here come at `latest`, if it would not before.
pub(crate) fn tick_by(crit: &Crit, latest: u64) {
    if latest < tick_at(crit) {
        set_tick(crit, Some(latest));
    }
}

/// When the tick comes; [`NEVER`], if it does not.
pub(crate) fn tick_at(crit: &Crit) -> u64 {
    here().timer.with(crit, |timer| timer.tick)
}

/// Has the turn of a thread that is no CPU process, but has equals, end at `latest`, or before if it was granted before. A tick that a
/// CPU process has left behind is not its.
pub(crate) fn grant_turn(crit: &Crit, latest: u64) {
    let is_new = here().timer.with(crit, |timer| {
        let is_new = !timer.granted || latest < timer.tick;
        if is_new {
            (timer.tick, timer.granted) = (latest, true);
        }
        is_new
    });
    if is_new {
        rearm(crit);
    }
}

/// Sets or clears the next seeded turn of this CPU.
pub(crate) fn set_chaos(crit: &Crit, deadline: Option<u64>) {
    here().timer.with(crit, |timer| timer.change(|t| t.chaos = deadline.unwrap_or(NEVER)));
    rearm(crit);
}

/// Sets or clears when the first callout of this CPU is due.
pub(crate) fn set_callout(crit: &Crit, deadline: Option<u64>) {
    here().timer.with(crit, |timer| timer.change(|t| t.callout = deadline.unwrap_or(NEVER)));
    rearm(crit);
}

/// Has the timer fire at `deadline` at the latest, also in this critical section.
pub(crate) fn hasten(crit: &Crit, deadline: u64) {
    let cpu = here();
    cpu.timer.with(crit, |timer| {
        timer.change(|t| t.late.iter_mut().for_each(|late| *late = deadline.min(*late)));
    });
    // One that has fired in this section is armed for nothing, whatever the deadline says.
    if cpu.timer_due.load(Ordering::Relaxed) || deadline < cpu.deadline.load(Ordering::Relaxed) {
        cpu.deadline.store(deadline, Ordering::Relaxed);
        arm(deadline);
    }
}

/// Sets or clears when this CPU looks whether all rest for ever.
pub(crate) fn set_watch(crit: &Crit, deadline: Option<u64>) {
    here().timer.with(crit, |timer| timer.watch = deadline.unwrap_or(NEVER));
    rearm(crit);
}

/// Whether somebody on this CPU waits for a time.
pub(crate) fn waits(crit: &Crit) -> bool {
    earliest(crit) != NEVER
}

/// Arms the hardware for the earliest deadline of this CPU, if that has changed.
pub(crate) fn rearm(crit: &Crit) {
    let cpu = here();
    let earliest = cpu.timer.with(crit, |timer| timer.watch).min(earliest(crit));
    // Relaxed: written here alone; who reads it elsewhere orders it by the CPU's `rests`.
    if cpu.deadline.load(Ordering::Relaxed) != earliest {
        cpu.deadline.store(earliest, Ordering::Relaxed);
        arm(earliest);
    }
}

/// The timer has fired: does what is due. On its own CPU, after the interrupt handler.
pub(crate) fn fired(crit: &Crit) {
    let cpu = here();
    cpu.counters.timers.add(crit, 1);
    let now = now();
    cpu.scheduler.with(crit, |s| s.expire(crit, now).for_each(drop));
    interrupt::expired(crit);
    cpu.deadline.store(NEVER, Ordering::Relaxed);
    let take =
        |deadline: &mut u64| *deadline <= now && core::mem::replace(deadline, NEVER) != NEVER;
    let (tick, granted, turn, call, look) = cpu.timer.with(crit, |timer| {
        timer.change(|t| {
            if t.late.iter_mut().any(take) {
                faults::ring_in_time(crit);
            }
            let granted = t.granted;
            t.granted &= t.tick > now;
            (
                take(&mut t.tick),
                granted,
                take(&mut t.chaos),
                take(&mut t.callout),
                take(&mut t.watch),
            )
        })
    });
    if tick {
        probe::tick();
        let is_its = process::tick(crit) || granted;
        thread::tick(crit, is_its);
    }
    if turn {
        chaos::next_turn(crit);
    }
    if call {
        callout::fire(crit);
    }
    ipi::tick(crit);
    faults::tick(crit);
    if look {
        idle::look(crit);
        cpu.timer.with(crit, |timer| timer.watch = idle::next_look());
    }
    rearm(crit);
}

fn earliest(crit: &Crit) -> u64 {
    let sleeping = here().scheduler.with(crit, |s| s.next_deadline(crit)).unwrap_or(NEVER);
    here().timer.with(crit, |timer| sleeping.min(timer.tick).min(timer.seldom))
}

fn arm(deadline: u64) {
    if deadline == NEVER {
        return apic::disarm_timer();
    }
    let wait = deadline.saturating_sub(now()).clamp(1, LONGEST) + faults::timer_delay();
    let ticks = (u128::from(wait) * u128::from(TIMER_PER_NANO.load(Ordering::Relaxed))) >> 32;
    apic::arm_timer(u32::try_from(ticks).unwrap_or(u32::MAX).max(1));
}

/// The timer interrupt. Inside a critical section it only leaves a mark.
#[unsafe(no_mangle)]
extern "C" fn core_timer() {
    let cpu = here();
    probe::timer();
    chaos::turn();
    faults::ring_in_handler();
    if arch::cpu::in_crit() {
        return cpu.leave_mark(|cpu| cpu.timer_due.store(true, Ordering::Relaxed));
    }
    cpu::handle(|crit| fired(crit));
}
