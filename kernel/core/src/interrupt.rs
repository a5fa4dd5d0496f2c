//! Interrupts' threads: a thread for each line on each CPU, which preempts what runs there and goes back to it.
//!
//! ```text
//!   interrupt ─▶ `core_line`: in a hard section ──────┐
//!             └▶ in a critical section: a mark ───────┤
//!   thread ───▶ `raise` ──────────────────────────────┤
//!                            end of the outermost section: `preempt` ─▶ borrowed switch ─▶ handler ─▶ back to the victim
//! ```
//! Law: raising never waits and never runs a handler. The one switch point is the end of an outermost critical section,
//! the interrupt's own or the one that its mark was left in: on the victim's stack, with interrupts on. Nothing per-CPU is
//! lent there; the victim then goes on here before any thread but interrupts', unless it was taken out of the queue meanwhile: so
//! whoever calls asks again where it is. The clock, the
//! doorbell and seeded turns run in place, in hard sections.

mod hold;
mod line;

pub use hold::{Held, Hold, hold};
pub use line::{Line, RegisterError, Registered, register};

use crate::cpu::{self, Cpu, here};
use crate::{ipi, thread};
use core::sync::atomic::{AtomicU32, Ordering};
use line::Slot;
use lwkt_sched::{Borrowed, Conditions, Refusal};
use percpu::{Counter, CpuId, Crit};

/// Lines that there can be at once.
const LINES: usize = arch::trap::vector::LINES as usize;

/// What a CPU knows about its lines.
pub(crate) struct Interrupts {
    /// A bit for each line that was raised since its thread was last asked to run. Changed by single instructions.
    due: AtomicU32,
    /// Raises for which the running thread was in a critical section of its own.
    deferred: AtomicU32,
    /// Times that a thread was asked to run: as many as were borrowed at once or refused.
    asked: Counter,
    holds: hold::Holds,
    slots: [Slot; LINES],
}

impl Interrupts {
    pub(crate) const fn new() -> Self {
        Self {
            due: AtomicU32::new(0),
            deferred: AtomicU32::new(0),
            asked: Counter::new(),
            holds: hold::Holds::new(),
            slots: [const { Slot::new() }; LINES],
        }
    }

    fn slot(&self, line: Line) -> &Slot {
        &self.slots[line.number()]
    }

    /// The line of the highest priority that is due, which it is no more.
    fn take_due(&self) -> Option<&Slot> {
        let mut due = self.due.load(Ordering::Relaxed);
        if due == 0 {
            return None;
        }
        let mut best = Line::numbered(due.trailing_zeros() as usize);
        while due & (due - 1) != 0 {
            due &= due - 1;
            let next = Line::numbered(due.trailing_zeros() as usize);
            if self.slot(next).priority() > self.slot(best).priority() {
                best = next;
            }
        }
        // Before the slot is looked at: a raise that comes from here on sets the bit again.
        arch::irq::clear_bits(&self.due, 1 << best.number());
        Some(self.slot(best))
    }
}

/// Raises a line on this CPU: its thread runs at the end of the outermost critical section. Raises that come before it has
/// taken the last are handled together with it, and counted.
#[inline]
pub fn raise(_: &Crit, line: Line) {
    note(line, arch::cpu::crit_depth() > 1);
}

/// Raises a line on a CPU, by a message: exactly once.
pub fn raise_on(crit: &Crit, cpu: CpuId, line: Line) {
    if cpu == here().id() {
        return raise(crit, line);
    }
    ipi::send(crit, cpu, raise_here, [line.number(), 0, 0]);
}

fn raise_here(crit: &Crit, line: usize, _: usize, _: usize) {
    raise(crit, Line::numbered(line));
}

/// Has an interrupt of a line come on a CPU, as a device would. Those that come before the CPU has taken the last are one.
pub fn trigger(crit: &Crit, cpu: CpuId, line: Line) {
    let vector = arch::trap::vector::LINE + line.number() as u8;
    apic::send_ipi(crit, arch::cpu::apic_id_of(cpu), vector);
}

/// An interrupt of a line. Inside a critical section it only leaves a mark.
#[unsafe(no_mangle)]
fn core_line(line: u8) {
    let line = Line::numbered(usize::from(line));
    if arch::cpu::in_crit() {
        return note(line, true);
    }
    cpu::handle(|hard| raise(hard, line));
}

/// Notes a raise, each part of it in one instruction: this runs in interrupts, at any depth.
#[inline]
fn note(line: Line, deferred: bool) {
    probe::raised(line.number() as u32, deferred.into());
    here().leave_mark(|cpu| {
        let interrupts = &cpu.interrupts;
        arch::irq::increment(&interrupts.slot(line).raised);
        arch::irq::set_bits(&interrupts.due, 1 << line.number());
        if deferred {
            arch::irq::increment(&interrupts.deferred);
        }
    });
}

/// Has the threads of all lines that are due run, each in the time of the running thread, or makes them ready. In the
/// outermost critical section of that thread, at its end, or on a CPU that rests.
pub(crate) fn preempt(crit: &Crit) {
    loop {
        // Asked anew each time: a victim that was taken out of the queue meanwhile may have been anywhere.
        let cpu = here();
        let conditions = conditions(cpu);
        let (from, to) = match cpu.interrupts.take_due() {
            Some(slot) => {
                let Some(target) = slot.wanted() else { continue };
                cpu.interrupts.asked.add(crit, 1);
                cpu.scheduler
                    .with(crit, |s| (s.current(), s.preempt(crit, target, conditions).ok()))
            }
            None => {
                let again =
                    cpu.scheduler.with(crit, |s| (s.current(), s.preempt_again(crit, conditions)));
                if again.1.is_none() {
                    break;
                }
                again
            }
        };
        if let Some(to) = to {
            let left = thread::switch(from, to);
            thread::arrived(crit, left);
            let next = cpu.scheduler.with(crit, |s| s.resumed(crit));
            thread::go(crit, from, next);
        }
    }
    let cpu = here();
    let owed = cpu.scheduler.with(crit, |s| s.is_owed());
    cpu.interrupts.holds.set_owed(owed);
}

/// Deadlines have passed on this CPU: an interrupt's thread among those that waited for one preempts at the section's end.
pub(crate) fn expired(crit: &Crit) {
    let cpu = here();
    if cpu.scheduler.with(crit, |s| s.is_owed()) {
        cpu.leave_mark(|_| ());
    }
}

fn conditions(cpu: &Cpu) -> Conditions {
    let holds = &cpu.interrupts.holds;
    Conditions {
        sections: arch::cpu::crit_depth() - 1,
        spin_locks: holds.count(Hold::SpinLock),
        syncs: holds.count(Hold::Sync),
        masked: !arch::irq::enabled(),
    }
}

/// What a CPU, or all together, counted of interrupts' threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Borrowed switches, returns, refusals; what was deferred is refused as critical.
    pub borrowed: Borrowed,
    /// Times that a thread was asked to run: each was a borrowed switch at once, or was refused.
    pub asked: u64,
    /// Raises in a critical section of the running thread: refused until it ends, and not asked before.
    pub deferred: u64,
    /// Raises.
    pub raised: u64,
    /// Times that a thread took what was raised; the raises beyond these were handled together with others.
    pub taken: u64,
    /// Times that a line was found to be too fast.
    pub limited: u64,
}

impl Counted {
    /// Adds what another CPU counted.
    pub fn add(&mut self, other: &Self) {
        self.borrowed.add(&other.borrowed);
        self.asked += other.asked;
        self.deferred += other.deferred;
        self.raised += other.raised;
        self.taken += other.taken;
        self.limited += other.limited;
    }
}

/// Asks a CPU what it counted, by a message.
pub fn counted_on(cpu: CpuId) -> Counted {
    ipi::call(cpu, |crit| {
        let cpu = here();
        let mut counted =
            Counted { borrowed: cpu.scheduler.with(crit, |s| s.borrowed()), ..Counted::default() };
        counted.asked = cpu.interrupts.asked.get();
        counted.deferred = u64::from(cpu.interrupts.deferred.load(Ordering::Relaxed));
        counted.borrowed.refuse(Refusal::Critical, counted.deferred);
        for slot in &cpu.interrupts.slots {
            slot.count(&mut counted);
        }
        counted
    })
}

/// Asks all CPUs.
pub fn counted() -> Counted {
    cpu::all().fold(Counted::default(), |mut sum, cpu| {
        sum.add(&counted_on(cpu.id()));
        sum
    })
}
