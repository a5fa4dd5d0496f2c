//! A line that is raised too fast is paced, and free again when it is not.

use crate::registry::{Run, Verdict, check, ensure};
use alloc::format;
use alloc::string::String;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use kernel_core::{cpu, interrupt, thread, timer};
use lwkt_sched::{MayBlock, Name, Priority, Rates};
use percpu::CpuId;

check! {
    name: "kernel/livelock",
    doc: "A storm of interrupts preempts no more than the limit lets it, loses none, and leaves the line free when it is over.",
    kind: Test,
    run: livelock,
}

const RATES: Rates = Rates { high: 50_000, low: 2_000, paced: 10_000 };
/// Nanoseconds of the storm: longer than the limiter's window.
const STORM: u64 = 4_000_000;
/// Nanoseconds after which a quiet line is free again, at the latest.
const QUIET: u64 = 4_000_000;

fn livelock(_: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    static HANDLED: AtomicU64 = AtomicU64::new(0);
    let handled = HANDLED.load(Relaxed);
    let name = Name::new("test line");
    let line = interrupt::register(cx, name, Priority::INTERRUPT, RATES, |_, times| {
        HANDLED.fetch_add(u64::from(times), Relaxed);
    })
    .map_err(|why| format!("a line was not registered: {why:?}"))?;
    thread::sleep(cx, 1_000_000);
    let here = CpuId::at(arch::cpu_id() as usize);
    let raise = || cpu::critical(|crit| interrupt::raise(crit, line.line()));

    let before = interrupt::counted_on(here);
    let (start, mut raised) = (timer::now(), 0);
    while timer::now() - start < STORM {
        raise();
        raised += 1;
    }
    let storm = interrupt::counted_on(here);
    // Those that came while it was paced are handled by its clock.
    thread::sleep(cx, QUIET);
    let all = HANDLED.load(Relaxed) - handled;
    raise();
    let after = interrupt::counted_on(here);
    line.close(cx);

    let limited = storm.limited - before.limited;
    ensure!(limited == 1, "the line was found to be too fast {limited} times");
    let preempted = storm.borrowed.direct - before.borrowed.direct;
    // Two windows' worth until it is found, and no more.
    let most = 2 * (RATES.high / 1000 + 1);
    ensure!(preempted <= most, "{preempted} of {raised} raises preempted, {most} may");
    ensure!(all == raised, "{all} raises were handled of {raised}");
    let by_clock = storm.borrowed.late - before.borrowed.late;
    let least = RATES.paced * STORM / 1_000_000_000 / 2;
    ensure!(
        by_clock >= least,
        "the storm was handled {by_clock} times, by a clock that lets it {least}"
    );
    let free = after.borrowed.direct - storm.borrowed.direct;
    ensure!(free == 1, "after the storm {free} of 1 raises preempted");
    Ok(String::new())
}
