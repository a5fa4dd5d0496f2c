//! What an interrupt's thread costs: from the raise to its first instruction, and back to the victim.

use crate::environment::may_block;
use crate::steps::here;
use bench_api::Bencher;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use kernel_core::cpu::critical;
use kernel_core::interrupt::{self, Line};
use kernel_core::thread;
use lwkt_sched::{Name, Priority, Rates};

/// What the handler notes: when it began, and how often.
static BEGAN: AtomicU64 = AtomicU64::new(0);
static TIMES: AtomicU64 = AtomicU64::new(0);

/// Runs `measure` with a line of the highest priority, whose thread on this CPU waits for it.
fn with_line(b: &mut Bencher<'_>, measure: impl FnOnce(&mut Bencher<'_>, Line)) {
    let mut cx = may_block();
    let name = Name::new("measured line");
    let line = interrupt::register(&mut cx, name, Priority::MAX, Rates::ANY, |_, _| {
        BEGAN.store(arch::time::tsc(), Relaxed);
        TIMES.store(TIMES.load(Relaxed) + 1, Relaxed);
    });
    let line = line.expect("memory for a benchmark's line");
    thread::sleep(&mut cx, 1_000_000);
    let (before, times) = (interrupt::counted_on(here()), TIMES.load(Relaxed));
    measure(b, line.line());
    let times = TIMES.load(Relaxed) - times;
    let after = interrupt::counted_on(here());
    let returns = after.borrowed.returns - before.borrowed.returns;
    b.check(times > 2 && times == returns, "each raise borrowed the CPU and gave it back");
    line.close(&mut cx);
}

/// Has the interrupt of a line come on this CPU between this instruction and the next.
fn interrupt_now(line: Line) {
    arch::irq::without(|| critical(|crit| interrupt::trigger(crit, here(), line)));
}

bench_api::bench! {
    name: "kernel/preempt",
    doc: "A thread raises a line at whose end of the critical section its thread preempts, handles nothing, and goes back.",
    lies: "The handler reads the clock once: its few instructions are part of the figure.",
    shape: "flat in CPUs and in ready threads",
    run: |b| with_line(b, |b, line| b.iter(|| critical(|crit| interrupt::raise(crit, line)))),
}

bench_api::bench! {
    name: "kernel/preempt_interrupt",
    doc: "An interrupt of a line comes, its thread preempts, handles nothing, and goes back to the instruction that was interrupted.",
    lies: "As kernel/preempt; and the message that makes the interrupt, by the CPU to itself, is part of it.",
    shape: "flat in CPUs and in ready threads",
    run: |b| with_line(b, |b, line| b.iter(|| interrupt_now(line))),
}

bench_api::bench! {
    name: "kernel/interrupt_to_run",
    doc: "From before the instruction at which an interrupt is taken to the first of its thread's handler, at the highest priority.",
    goal: "G24b",
    lies: "The interrupt comes outside critical sections, where it is waited for: in one it would wait for its end.",
    shape: "flat in CPUs and in ready threads",
    run: |b| with_line(b, |b, line| b.iter_ticks(|_| {
        let start = arch::irq::without(|| {
            critical(|crit| interrupt::trigger(crit, here(), line));
            arch::time::tsc()
        });
        BEGAN.load(Relaxed) - start
    })),
}
