//! Whoever is woken while a program is on its way to ring 3 has its turn, too.

use crate::crew;
use crate::program::{self, Program};
use crate::registry::{Run, Verdict, check, ensure};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use kernel_core::{cpu, thread, timer};
use lwkt_sched::{MayBlock, Name, Priority, Why};
use percpu::CpuId;
use servers::options::Clock;

check! {
    name: "user/foreseen",
    doc: "A thread that wakes at each moment of a program's way into the kernel and back to ring 3, where no tick is armed, runs within a turn of it.",
    kind: Test,
    run: foreseen,
}

/// The program enters at multiples of this, in nanoseconds, as its source says.
const PERIOD: u64 = 4_000_000;
/// Moments around that at which the thread wakes, a few instructions apart.
const MOMENTS: u64 = 400;
const APART: u64 = 5;
const BEFORE: u64 = 200;
/// In nanoseconds: the program's turn, and time for both to get there.
const SOON: u64 = 1_500_000;

fn foreseen(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    if run.options.clock != Clock::Insns {
        // Where nobody can say which instruction a moment is at, this shows nothing.
        return Ok(String::new());
    }
    let last = CpuId::at(cpu::count() - 1);
    let mut program = Program::new("greedy", 0);
    (program.cpu, program.arguments[2]) = (last, 4);
    let launch = program.start(run)?;
    thread::sleep(cx, PERIOD);
    let longest = Arc::new((AtomicU64::new(0), AtomicU64::new(0)));
    let its = longest.clone();
    let sleeps = crew::start(cx, || {
        let its = its.clone();
        thread::spawn_bound(last, Name::new("sleeps"), Priority::USER, move |cx| {
            for moment in 0..MOMENTS {
                let at = (timer::now() / PERIOD + 2) * PERIOD - BEFORE + moment * APART;
                cpu::critical(|crit| {
                    while timer::now() < at {
                        thread::sleep_until(crit, cx, Why::SLEEP, at);
                    }
                });
                let waited = timer::now() - at;
                if waited > its.0.load(Relaxed) {
                    its.0.store(waited, Relaxed);
                    its.1.store(moment * APART, Relaxed);
                }
            }
        })
    });
    sleeps.join(cx);
    launch.kill();
    let _ = program::wait(run, cx, program.name, launch)?;
    let (waited, moment) = (longest.0.load(Relaxed), longest.1.load(Relaxed));
    ensure!(
        waited < SOON,
        "who woke {moment} ns after {BEFORE} before a program's entry waited {waited} ns for its turn"
    );
    Ok(format!("{MOMENTS} moments, {waited} ns at most"))
}
