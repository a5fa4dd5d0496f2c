//! A turn ends in its time, also when its thread has lent its CPU then.

use crate::registry::{Run, Verdict, check, ensure};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use kernel_core::{cpu, interrupt, thread, timer};
use lwkt_sched::{MayBlock, Name, Priority, Rates};
use servers::options::Clock;

check! {
    name: "kernel/lent_turn",
    doc: "A thread that breathes gives way to its equal when its turn is over, also if the tick came while an interrupt's thread had borrowed its CPU.",
    kind: Test,
    run: lent_turn,
}

/// In nanoseconds: a turn, and how long the CPU is lent around its end.
const TURN: u64 = 10_000_000;
const LENT: u64 = TURN / 5;
/// In nanoseconds: who would be given another turn runs on for longer.
const LATE: u64 = TURN + TURN / 2;

fn lent_turn(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    if run.options.clock != Clock::Insns {
        // How long a turn takes of a host's time, nobody can say.
        return Ok(String::new());
    }
    let there = cpu::all().last().ok_or("there is a CPU")?.id();
    let name = Name::new("borrows");
    let borrows = interrupt::register(cx, name, Priority::INTERRUPT, Rates::ANY, |_, _| {
        let begun = timer::now();
        while timer::now() - begun < LENT {}
    });
    let borrows = borrows.map_err(|why| format!("a line was not registered: {why:?}"))?;
    // A turn that was granted before is over.
    thread::sleep(cx, 2 * TURN);
    let before = interrupt::counted_on(there).borrowed.direct;
    let (line, waited) = (borrows.line(), Arc::new(AtomicU64::new(0)));
    let its = waited.clone();
    let computes =
        thread::spawn_bound(there, Name::new("computes"), Priority::BACKGROUND, move |cx| {
            let (begun, equals, mut lent) = (timer::now(), its.clone(), false);
            let equal =
                thread::spawn_bound(there, Name::new("equal"), Priority::BACKGROUND, move |_| {
                    equals.store(timer::now() - begun, Relaxed);
                });
            let Ok(equal) = equal else { return };
            while its.load(Relaxed) == 0 {
                thread::breathe(cx);
                if !lent && timer::now() - begun > TURN - LENT / 2 {
                    lent = true;
                    cpu::critical(|crit| interrupt::raise(crit, line));
                }
            }
            equal.join(cx);
        });
    let computes = computes.map(|thread| thread.join(cx));
    let lent = interrupt::counted_on(there).borrowed.direct - before;
    borrows.close(cx);
    computes.map_err(|_| String::from("no memory"))?;
    ensure!(lent == 1, "the CPU was lent {lent} times");
    let waited = waited.load(Relaxed);
    ensure!(
        waited > TURN,
        "an equal ran after {waited} ns, in the turn of another; or there was no memory"
    );
    ensure!(waited < LATE, "an equal waited {waited} ns for the end of a turn that was lent");
    Ok(String::new())
}
