//! Where and when callouts fire, and that a CPU with none has no timer interrupt.

use crate::registry::{Run, Verdict, check, ensure};
use alloc::string::String;
use core::sync::atomic::{AtomicU64, Ordering};
use kernel_core::callout::{Callout, Firing, When};
use kernel_core::wait_queue::WaitQueue;
use kernel_core::{cpu, timer};
use lwkt_sched::MayBlock;
use percpu::Crit;
use servers::options::Clock;

check! {
    name: "kernel/callout_moments",
    doc: "A callout fires on its CPU and never early; an idle CPU stops resting once or twice for it, and never for a cancelled one.",
    kind: Test,
    run: callout_moments,
}

/// Nanoseconds from now.
const AFTER: u64 = 500_000;

/// When and where one fired: the moment above, the CPU below.
static FIRED: AtomicU64 = AtomicU64::new(0);
static DONE: WaitQueue = WaitQueue::new();

fn note(crit: &Crit) {
    let cpu = u64::from(arch::cpu_id());
    // Pairs with: `callout_moments`, acquire.
    FIRED.store(timer::now() << 8 | cpu, Ordering::Release);
    DONE.wake_all(crit);
}

fn short(crit: &Crit, _: &Firing) {
    note(crit);
}

fn threaded(_: &mut MayBlock, _: &Firing) {
    cpu::critical(note);
}

static SHORT: Callout = Callout::short(short, ());
static THREADED: Callout = Callout::threaded(threaded, ());

fn callout_moments(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let exact = run.options.clock == Clock::Insns && run.turns() == 0;
    for callout in [&SHORT, &THREADED] {
        for on in cpu::all() {
            let number = on.id().index() as u64;
            // While this thread is busy, its own CPU does not rest, and the others do until something comes.
            let counts = exact && number != 0;
            FIRED.store(0, Ordering::Relaxed);
            let at = timer::now() + AFTER;
            callout.reset(cx, When::At(at), on.id());
            // Pairs with: `note`, release.
            let fired = || FIRED.load(Ordering::Acquire);
            let (before, late) = (cpu::rests(), at + 100 * AFTER);
            while counts && fired() == 0 && timer::now() < late {
                arch::irq::pause();
            }
            let taken = cpu::rests() - before;
            let came = DONE.wait_until_by(cx, late, |_| fired() != 0);
            ensure!(came.is_ok(), "the callout of CPU {number} does not fire");
            // The hardware counts in larger steps than nanoseconds: it may be armed once more for the last of them.
            ensure!(
                !counts || (1..=2).contains(&taken),
                "CPU {number} rested {taken} times for one callout"
            );
            let (moment, cpu) = (fired() >> 8, fired() & 0xff);
            ensure!(cpu == number, "the callout of CPU {number} fires on CPU {cpu}");
            ensure!(moment >= at, "the callout of CPU {number} fires {} ns early", at - moment);
            callout.reset(cx, When::After(AFTER), on.id());
            let was_pending = callout.cancel(cx);
            ensure!(was_pending, "the callout of CPU {number} is not pending");
            let (before, end) = (cpu::rests(), timer::now() + 2 * AFTER);
            while timer::now() < end {
                arch::irq::pause();
            }
            let taken = cpu::rests() - before;
            ensure!(!counts || taken == 0, "a CPU with nothing to wait for rested {taken} times");
        }
        ensure!(callout.drain(cx) == Ok(false), "a callout that has fired is still pending");
    }
    Ok(String::new())
}
