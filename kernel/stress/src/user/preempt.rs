//! User threads that never yield starve nobody, and keep their registers over upcalls.

use crate::crew;
use crate::program::{self, Program};
use crate::registry::{Run, Verdict, check};
use alloc::format;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use kernel_core::{cpu, thread};
use lwkt_sched::{MayBlock, Name, Priority};
use percpu::CpuId;

check! {
    name: "user/preempt",
    doc: "User threads that never yield starve nobody, however often others come in between, and keep their registers over upcalls.",
    kind: Stress,
    run: preempt,
}

/// Steps of a full run.
const STEPS: u64 = 1_000_000;
/// Nanoseconds that a kernel thread sleeps which comes in between: less than those from upcall to upcall.
const SHORT: u64 = 40_000;

fn preempt(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let steps = run.steps(STEPS);
    let over = Arc::new(AtomicBool::new(false));
    let theirs = over.clone();
    let comes_between = move |cx: &mut MayBlock| {
        while !theirs.load(Relaxed) {
            thread::sleep(cx, SHORT);
        }
    };
    let last = CpuId::at(cpu::count() - 1);
    let other = crew::start(cx, || {
        thread::spawn_bound(last, Name::new("between"), Priority::SERVER, comes_between.clone())
    });
    let ended = program::run(run, cx, &Program::new("preemption", steps));
    over.store(true, Relaxed);
    other.join(cx);
    let ended = ended?;
    Ok(format!(
        "{steps} steps without a yield, all registers kept, on {} CPU processes",
        ended.carriers
    ))
}
