//! Questions from CPU to CPU that are answered at once: the traffic of several costs.
//!
//! Law: a CPU's count of answers is written by that CPU alone, in a critical section.

use bench_api::Bencher;
use core::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Release},
};
use kernel_core::{cpu, ipi};
use percpu::{Block, CpuId, Crit, MAX_CPUS, PerCpu};

/// Answers that came to each CPU.
static ANSWERED: PerCpu<AtomicU64, MAX_CPUS> =
    PerCpu::new([const { Block::new(AtomicU64::new(0)) }; MAX_CPUS]);

fn answer_to(crit: &Crit, from: usize, _: usize, _: usize) {
    ipi::send(crit, CpuId::at(from), answer, [from, 0, 0]);
}

fn answer(_: &Crit, me: usize, _: usize, _: usize) {
    let answered = ANSWERED.on(CpuId::at(me));
    // Pairs with: `Asked::is_answered`, acquire.
    answered.store(answered.load(Acquire) + 1, Release);
}

/// Questions that were sent, and whose answers are waited for.
pub(crate) struct Asked {
    answered: &'static AtomicU64,
    goal: u64,
}

impl Asked {
    /// Sends questions from this CPU, `me`, to another.
    #[inline(always)]
    pub fn by(me: usize, to: CpuId, questions: u64) -> Asked {
        let answered = ANSWERED.on(CpuId::at(me));
        let goal = answered.load(Acquire) + questions;
        cpu::critical(|crit| {
            (0..questions).for_each(|_| ipi::send(crit, to, answer_to, [me, 0, 0]))
        });
        Asked { answered, goal }
    }

    /// Whether all answers have come.
    #[inline(always)]
    pub fn is_answered(&self) -> bool {
        // Pairs with: `answer`, release.
        self.answered.load(Acquire) >= self.goal
    }
}

/// Calls that all CPUs have executed, questions and answers among them.
pub(crate) fn executed() -> u64 {
    cpu::all().map(|cpu| ipi::fabric().counters(cpu.id()).ran.get()).sum()
}

/// Times that a CPU was interrupted by senders of the sort, and times that it looked: the one is at most one ahead where at most one
/// interrupt is pending.
pub(crate) struct Pending<F> {
    to: CpuId,
    asks: F,
    looked: u64,
    rang: u64,
}

impl<F: Fn(CpuId) -> bool> Pending<F> {
    /// Begins to count, at CPU `to`, interrupts by those of whom `asks` holds.
    pub fn begin(to: CpuId, asks: F) -> Self {
        // In this order, as in `most`: the looks are those of a window that is the longer.
        let looked = Self::looks(to);
        let rang = Self::rung(&asks);
        Pending { to, asks, looked, rang }
    }

    /// How many interrupts were pending at least once.
    pub fn most(&self) -> u64 {
        let rang = Self::rung(&self.asks) - self.rang;
        rang.saturating_sub(Self::looks(self.to) - self.looked)
    }

    fn looks(to: CpuId) -> u64 {
        ipi::fabric().counters(to).drains.get()
    }

    fn rung(asks: &F) -> u64 {
        let who = cpu::all().map(|cpu| cpu.id()).filter(|cpu| asks(*cpu));
        who.map(|cpu| ipi::fabric().counters(cpu).rung.get()).sum()
    }
}

/// Checks how many interrupts were pending at most, of all that was counted.
pub(crate) fn check_pending(b: &mut Bencher<'_>, most: u64) {
    // What the usual way to interrupt promises, and others do not.
    b.check(most <= 1 || !ipiq::knocking::IS_USUAL, "one interrupt is pending at most");
}
