//! How idle CPUs rest, and what wakes them.

use crate::crew;
use crate::registry::{Run, Verdict, check, ensure};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use kernel_core::cpu::{self, Idle};
use kernel_core::{ipi, thread};
use lwkt_sched::{MayBlock, Name, Priority, Reason, Why};

check! {
    name: "kernel/idle_policies",
    doc: "Threads of two idle CPUs wake each other under each idle policy: where idle CPUs poll, no interrupt is sent.",
    kind: Test,
    run: policies,
}

/// Wakes there and back.
const ROUNDS: u64 = 50;

fn policies(_: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let chosen = cpu::idle_policy();
    let mut seen = String::new();
    for (name, wanted) in Idle::ALL {
        let policy = cpu::set_idle_policy(wanted);
        let result = under(cx, policy);
        cpu::set_idle_policy(chosen);
        let (rung, silent) = result?;
        let polls = policy != Idle::Hlt;
        // Another way to send may interrupt who polls.
        let usual = ipiq::knocking::IS_USUAL;
        ensure!(!polls || !usual || rung == 0, "{rung} interrupts under {name}");
        ensure!(
            !polls || !usual || cpu::count() == 1 || silent > 0,
            "no wake was silent under {name}"
        );
        ensure!(polls || cpu::count() == 1 || rung > 0, "halted CPUs woke without an interrupt");
        seen = format!("{seen} {name}: {rung}");
    }
    Ok(seen)
}

/// Interrupts for messages meanwhile, and wakes without one.
fn under(cx: &mut MayBlock, policy: Idle) -> Result<(u64, u64), String> {
    let word = Arc::new(AtomicU64::new(0));
    let (theirs, leader) = (word.clone(), thread::current());
    let last = cpu::all().last().expect("there is one").id();
    let follower = thread::spawn_on(last, Name::new("follower"), Priority::SERVER, move |cx| {
        for round in 0..ROUNDS {
            wait(cx, &theirs, 2 * round + 1);
            step(&theirs, leader);
        }
    })
    .map_err(|_| String::from("no memory"))?;
    crew::settle();
    // Everybody is at rest, in the new way.
    thread::sleep(cx, 100_000);
    let before = counted();
    for round in 0..ROUNDS {
        step(&word, follower.thread());
        wait(cx, &word, 2 * round + 2);
    }
    let after = counted();
    follower.join(cx);
    let polled = cpu::all().map(|cpu| cpu.counters.mwaits.get() + cpu.counters.spins.get()).sum();
    let polled: u64 = polled;
    ensure!(policy == Idle::Hlt || polled > 0, "no CPU polled under {policy:?}");
    Ok((after.0 - before.0, after.1 - before.1))
}

fn step(word: &AtomicU64, other: lwkt_sched::ThreadRef) {
    word.fetch_add(1, Ordering::AcqRel);
    cpu::critical(|crit| thread::wake(crit, other));
}

fn wait(cx: &mut MayBlock, word: &AtomicU64, value: u64) {
    thread::wait_until(cx, Why::on(Reason::Event, word), |_| word.load(Ordering::Acquire) >= value);
}

fn counted() -> (u64, u64) {
    cpu::all().fold((0, 0), |(rung, silent), cpu| {
        let counters = ipi::fabric().counters(cpu.id());
        (rung + counters.rung.get(), silent + cpu.counters.silent_wakes.get())
    })
}
