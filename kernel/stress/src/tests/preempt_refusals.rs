//! Each reason for which an interrupt's thread does not preempt, provoked once.

use crate::registry::{Run, Verdict, check, ensure};
use alloc::format;
use alloc::string::String;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use kernel_core::interrupt::{self, Counted, Hold, Line, Registered};
use kernel_core::{cpu, ipi, thread};
use lwkt_sched::{Change, MayBlock, Name, Priority, Rates, Refusal};
use percpu::CpuId;

check! {
    name: "kernel/preempt_refusals",
    doc: "An interrupt's thread preempts at once, or is refused for the reason that holds, counted once, and has its turn later.",
    kind: Test,
    run: refusals,
}

/// What the lines have handled.
static HANDLED: AtomicU64 = AtomicU64::new(0);

fn line(
    cx: &mut MayBlock,
    priority: Priority,
    handler: impl Fn(&mut MayBlock, u32) + Send + Sync + 'static,
) -> Result<Registered, String> {
    let name = Name::new("test line");
    interrupt::register(cx, name, priority, Rates::ANY, move |cx, times| {
        handler(cx, times);
        HANDLED.fetch_add(u64::from(times), Relaxed);
    })
    .map_err(|why| format!("a line was not registered: {why:?}"))
}

/// What has to come of one provocation.
struct Expected {
    why: Option<Refusal>,
    /// Borrowed switches at once, and later, and how many raises were handled when it is over.
    direct: u64,
    late: u64,
    handled: u64,
}

/// Provokes something on this CPU and looks at what was counted there.
fn provoke(
    what: &str,
    on: CpuId,
    expected: &Expected,
    provocation: impl FnOnce(),
) -> Result<(), String> {
    let (before, handled) = (interrupt::counted_on(on), HANDLED.load(Relaxed));
    provocation();
    let after = interrupt::counted_on(on);
    let (mut all, mut sum) = (0, 0);
    for why in Refusal::ALL {
        let refused = after.borrowed.refused(why) - before.borrowed.refused(why);
        let wanted = u64::from(expected.why == Some(why));
        ensure!(refused == wanted, "{what}: {refused} refusals as {why}, not {wanted}");
        (all, sum) = (all + wanted, sum + refused);
    }
    let of = |get: fn(&Counted) -> u64| get(&after) - get(&before);
    let (direct, late) = (of(|c| c.borrowed.direct), of(|c| c.borrowed.late));
    let returns = of(|c| c.borrowed.returns);
    ensure!(
        (direct, late, returns)
            == (expected.direct, expected.late, expected.direct + expected.late),
        "{what}: {direct} borrowed switches at once, {late} later, {returns} returns"
    );
    let asked = of(|c| c.asked);
    ensure!(
        all == sum && asked == direct + sum - of(|c| c.deferred),
        "{what}: asked {asked} times"
    );
    let handled = HANDLED.load(Relaxed) - handled;
    ensure!(handled == expected.handled, "{what}: {handled} raises were handled");
    Ok(())
}

fn raise(line: Line) {
    cpu::critical(|crit| interrupt::raise(crit, line));
}

fn refusals(_: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let high = line(cx, Priority::INTERRUPT, |_, _| ())?;
    let low = line(cx, Priority::BACKGROUND, |_, _| ())?;
    let inner = high.line();
    let outer = line(cx, Priority::SOFT, move |_, _| raise(inner))?;
    let sleeper = line(cx, Priority::INTERRUPT, |cx, _| thread::sleep(cx, 100_000))?;
    // Their threads begin, and wait.
    thread::sleep(cx, 1_000_000);
    let result = provoke_all(cx, high.line(), low.line(), outer.line(), sleeper.line())
        .and_then(|()| descheduled(cx, &high));
    for line in [high, low, outer, sleeper] {
        line.close(cx);
    }
    result.map(|()| String::new())
}

fn provoke_all(
    cx: &mut MayBlock,
    high: Line,
    low: Line,
    outer: Line,
    sleeper: Line,
) -> Result<(), String> {
    let here = CpuId::at(arch::cpu_id() as usize);
    let at_once = Expected { why: None, direct: 1, late: 0, handled: 1 };
    let later = |why| Expected { why: Some(why), direct: 0, late: 1, handled: 1 };
    let not_yet = |why| Expected { why: Some(why), direct: 0, late: 0, handled: 0 };

    provoke("nothing in the way", here, &at_once, || raise(high))?;
    let critical = Expected { why: Some(Refusal::Critical), ..at_once };
    provoke("a critical section", here, &critical, || cpu::critical(|_| raise(high)))?;
    for (hold, why) in [(Hold::SpinLock, Refusal::SpinLock), (Hold::Sync, Refusal::Sync)] {
        let what = format!("{why}");
        let mut held = None;
        provoke(&what, here, &not_yet(why), || {
            held = Some(interrupt::hold(hold));
            raise(high);
        })?;
        let end = Expected { why: None, ..later(why) };
        provoke(&format!("the end of {what}"), here, &end, || drop(held))?;
    }
    let nested = Expected { why: Some(Refusal::Nested), direct: 1, late: 1, handled: 2 };
    provoke("another borrower", here, &nested, || raise(outer))?;

    // From here on the refused one has its turn when this thread gives way.
    provoke("interrupts off", here, &not_yet(Refusal::Masked), || {
        arch::irq::without(|| raise(high));
    })?;
    let turn = Expected { why: None, direct: 0, late: 0, handled: 1 };
    provoke("its turn", here, &turn, || thread::yield_now(cx))?;
    provoke("a lower priority", here, &not_yet(Refusal::NotHigher), || raise(low))?;
    provoke("its turn", here, &turn, || thread::sleep(cx, 50_000))?;
    let asleep = Expected { handled: 0, ..at_once };
    provoke("a handler that sleeps", here, &asleep, || raise(sleeper))?;
    provoke("it sleeps", here, &not_yet(Refusal::NotWaiting), || raise(sleeper))?;
    let both = Expected { handled: 2, ..turn };
    provoke("its end", here, &both, || thread::sleep(cx, 500_000))?;

    if cpu::count() > 1 {
        let there = CpuId::at(1);
        let idle = Expected { why: Some(Refusal::Idle), direct: 0, late: 0, handled: 1 };
        provoke("an idle CPU", there, &idle, || {
            let handled = HANDLED.load(Relaxed);
            cpu::critical(|crit| interrupt::raise_on(crit, there, high));
            while HANDLED.load(Relaxed) == handled {
                arch::irq::pause();
            }
            // Its thread waits again when this CPU's message has been served.
            ipi::call(there, |_| ());
        })?;
    }
    Ok(())
}

/// A thread that is to stop comes to run in its own time, and stops there.
fn descheduled(cx: &mut MayBlock, high: &Registered) -> Result<(), String> {
    let here = CpuId::at(arch::cpu_id() as usize);
    let thread = high.thread_on(here).ok_or("a line without a thread")?;
    let turn = |handled| Expected { why: None, direct: 0, late: 0, handled };
    let change = thread::deschedule(thread);
    ensure!(change == Change::Later, "it waits and is descheduled: {change:?}");
    let refused = Expected { why: Some(Refusal::Departs), ..turn(0) };
    provoke("a thread to be stopped", here, &refused, || raise(high.line()))?;
    provoke("where it stops", here, &turn(0), || thread::sleep(cx, 50_000))?;
    let change = thread::schedule(thread);
    ensure!(change == Change::Done, "it is scheduled: {change:?}");
    provoke("its turn", here, &turn(1), || thread::sleep(cx, 50_000))
}
