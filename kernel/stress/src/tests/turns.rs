//! Turns among equals that compute.

use crate::registry::{Run, Verdict, check, ensure};
use alloc::string::String;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};
use kernel_core::{cpu, thread, timer};
use lwkt_sched::{MayBlock, Name, Priority};

check! {
    name: "kernel/turns",
    doc: "Of two threads that compute and breathe, on one CPU, both get turns; one alone has no timer.",
    kind: Test,
    run: turns,
}

/// Longer than any turn, in nanoseconds.
const LONG: u64 = 200_000_000;
/// Breaths of a thread that is alone: many looks.
const ALONE: usize = 10_000;

fn turns(_: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let there = cpu::all().last().expect("there is one");
    let timers = || there.counters.timers.get();
    let before = timers();
    let alone = thread::spawn_on(there.id(), Name::new("alone"), Priority::BACKGROUND, |cx| {
        (0..ALONE).for_each(|_| thread::breathe(cx));
    });
    alone.map_err(|_| String::from("no memory"))?.join(cx);
    // This thread and the one beside it are of one CPU, if there is one only; else that CPU had nobody to share with.
    let fired = timers() - before;
    ensure!(cpu::count() == 1 || fired == 0, "{fired} timers for a thread that is alone");

    let flags: [Arc<AtomicBool>; 2] = Default::default();
    let mut handles = alloc::vec::Vec::new();
    for me in 0..2 {
        let (mine, other) = (flags[me].clone(), flags[1 - me].clone());
        let compute = move |cx: &mut MayBlock| {
            let start = timer::now();
            mine.store(true, Ordering::Release);
            // Whoever comes first has to be made to give way.
            while !other.load(Ordering::Acquire) && timer::now() - start < LONG {
                thread::breathe(cx);
            }
            if !other.load(Ordering::Acquire) {
                mine.store(false, Ordering::Release);
            }
        };
        let started =
            thread::spawn_on(there.id(), Name::new("computes"), Priority::BACKGROUND, compute);
        handles.push(started.map_err(|_| String::from("no memory"))?);
    }
    handles.into_iter().for_each(|handle| handle.join(cx));
    let both = flags.iter().all(|flag| flag.load(Ordering::Acquire));
    ensure!(both, "one thread ran for {LONG} ns beside its equal");
    Ok(String::new())
}
