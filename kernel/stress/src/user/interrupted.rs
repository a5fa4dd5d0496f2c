//! Interrupts' threads borrow the CPU from programs at seeded instants, in ring 3 and in their calls.

use crate::program::{self, Program};
use crate::registry::{Run, Verdict, check, ensure};
use alloc::format;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use kernel_core::{chaos, interrupt};
use lwkt_sched::{MayBlock, Name, Priority, Rates};

check! {
    name: "user/interrupted",
    doc: "Interrupts' threads borrow the CPU from a program at seeded instants: its user threads lose no register and no tick.",
    kind: Stress,
    run: interrupted,
}

/// Steps of a full run.
const STEPS: u64 = 200_000;

fn interrupted(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    static HANDLED: AtomicU64 = AtomicU64::new(0);
    let before = (interrupt::counted(), HANDLED.load(Relaxed));
    let name = Name::new("seeded line");
    let line = interrupt::register(cx, name, Priority::INTERRUPT, Rates::ANY, |_, times| {
        HANDLED.fetch_add(u64::from(times), Relaxed);
    })
    .map_err(|why| format!("a line was not registered: {why:?}"))?;
    chaos::raise_at_turns(Some(line.line()));
    let steps = run.steps(STEPS);
    let ended = program::run(run, cx, &Program::new("preemption", steps));
    chaos::raise_at_turns(None);
    line.close(cx);
    let ended = ended?;
    let counted = interrupt::counted();
    let handled = HANDLED.load(Relaxed) - before.1;
    let borrowed = counted.borrowed.returns - before.0.borrowed.returns;
    run.count("raised", counted.raised - before.0.raised);
    run.count("borrowed", borrowed);
    ensure!(
        handled == counted.raised - before.0.raised,
        "{handled} raises were handled of {}",
        counted.raised - before.0.raised
    );
    ensure!(run.turns() == 0 || borrowed > 0, "no interrupt's thread borrowed the CPU");
    Ok(format!("{steps} steps on {} CPU processes, preempted {borrowed} times", ended.carriers))
}
