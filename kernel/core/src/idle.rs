//! What a CPU does that has nobody to run: sleeps until something comes; and who notices that nothing ever will.
//!
//! ```text
//!   rest ─▶ rests: odd ─▶ hlt ... interrupt ─▶ rests: even ─▶ do what arrived
//!                     └─▶ poll ... a mark in the doorbell's word, or an interrupt ─┘      (`policy`)
//! ```
//! While somebody has to run, the first CPU looks once in a while whether all rest, with no timer armed and no message
//! under way: a deadlock, reported. So resting writes one word of the CPU's own, and costs nobody else anything.

mod policy;

pub use policy::{Idle, idle_policy, set_idle_policy};
pub(crate) use policy::{choose, seeded};

use crate::cpu::{self, Cpu, here};
use crate::{ipi, memory, timer};
use core::sync::atomic::{AtomicU64, Ordering, fence};
use percpu::{CpuId, Crit};

/// How often the first CPU looks, in nanoseconds: in mode `insns` nobody waits for it, as time jumps over rests.
const PERIOD: u64 = 1_000_000_000;

/// The same where idle CPUs poll, and no time is jumped over.
const POLLING_PERIOD: u64 = 10_000_000;

/// How often a CPU has begun and ended to rest: odd while it rests. Written by its own CPU.
///
/// | step | the CPU | who looks |
/// |---|---|---|
/// | 1 | sends, arms its timer; makes the count odd, release | reads the counts of all, acquire: all odd |
/// | 2 | halts; makes the count even, fence | reads marks and deadlines: none |
/// | 3 | serves what was sent, lets a deadline pass | fence; reads the counts again: the same |
///
/// Forbidden: that a message or a deadline which somebody still has to serve is not seen. The same counts in 1 and 3 say that
/// nobody ended to rest in between, so what 2 reads is all there is.
pub(crate) struct Rests(AtomicU64);

impl Rests {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    #[inline(always)]
    fn begin(&self) {
        // Pairs with: `all_at_rest`, acquire.
        self.0.store(self.0.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    #[inline(always)]
    fn end(&self) {
        self.0.store(self.0.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        // Pairs with: `is_quiescent`, the fence.
        fence(Ordering::Release);
    }
}

/// Says whether somebody has to run until further notice. On the first CPU.
pub(crate) fn watch(on: bool) {
    cpu::critical(|crit| {
        assert!(here().id() == CpuId::BOOT, "the first CPU is the one that looks");
        timer::set_watch(crit, on.then(next_look));
    });
}

/// When the first CPU looks again.
pub(crate) fn next_look() -> u64 {
    timer::now() + if idle_policy() == Idle::Hlt { PERIOD } else { POLLING_PERIOD }
}

/// Sleeps until something comes and does it. In the outermost critical section.
#[inline]
pub(crate) fn rest(crit: &Crit) {
    probe::rests();
    // What comes back later stays until this CPU next looks.
    while memory::IS_FETCHED && memory::fetch(crit) && !arch::cpu::is_pending() {}
    if policy::is_unusual() {
        policy::rest(crit);
    } else {
        let noted = halt(crit);
        wake(crit, noted);
    }
    probe::rested();
}

/// Sleeps until an interrupt; says whether something was sent here passively.
#[inline(always)]
fn halt(crit: &Crit) -> bool {
    let cpu = here();
    let mut noted = false;
    cpu.rests.begin();
    // SAFETY: in a critical section handlers only leave marks.
    unsafe {
        arch::irq::idle(|| {
            noted = ipi::is_noted(crit);
            noted || arch::cpu::is_pending()
        });
    }
    cpu.rests.end();
    noted
}

/// Does what arrived.
#[inline(always)]
fn wake(crit: &Crit, noted: bool) {
    if noted {
        ipi::tick(crit);
    }
    cpu::serve_at_rest(crit);
}

/// Times that a CPU has stopped resting so far, over all CPUs.
pub(crate) fn rests() -> u64 {
    // Relaxed: the counts are taken for themselves alone.
    cpu::all().map(|cpu| cpu.rests.0.load(Ordering::Relaxed) / 2).sum()
}

/// Reports a deadlock, if there is one. On the first CPU, when the time has come to look.
///
/// What was sent passively to a CPU that halted before hides one, as somebody may wait for it: that CPU looks, until next time.
pub(crate) fn look(crit: &Crit) {
    if is_quiescent(crit) {
        crate::report::deadlock(crit, here());
    }
    others(here()).for_each(|cpu| ipi::tell_if_noted(crit, cpu.id()));
}

fn is_quiescent(crit: &Crit) -> bool {
    let me = here();
    let busy = me.scheduler.with(crit, |s| !s.is_idle() || s.contended(crit));
    if busy || timer::waits(crit) {
        return false;
    }
    let Some(before) = all_at_rest(me) else { return false };
    let marked = cpu::all().any(|cpu| ipi::is_marked_on(cpu.id()));
    let timed = others(me).any(|cpu| cpu.deadline.load(Ordering::Relaxed) != timer::NEVER);
    // Pairs with: `Rests::end`, the fence.
    fence(Ordering::Acquire);
    !marked && !timed && all_at_rest(me) == Some(before)
}

/// The sum of the counts of all other CPUs, if all of these rest.
fn all_at_rest(me: &Cpu) -> Option<u64> {
    // Pairs with: `Rests::begin`, release.
    others(me)
        .map(|cpu| cpu.rests.0.load(Ordering::Acquire))
        .try_fold(0u64, |sum, count| (count % 2 == 1).then(|| sum.wrapping_add(count)))
}

fn others(me: &Cpu) -> impl Iterator<Item = &'static Cpu> {
    let me = me.id();
    cpu::all().filter(move |cpu| cpu.id() != me)
}
