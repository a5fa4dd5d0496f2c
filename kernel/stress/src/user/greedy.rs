//! A program does not keep a CPU to itself by the tick that it asks for.

use crate::crew;
use crate::program::{self, Program};
use crate::registry::{Run, Verdict, check, ensure};
use alloc::string::String;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use kernel_core::process::How;
use kernel_core::{cpu, thread, timer};
use lwkt_sched::{MayBlock, Name, Priority};
use percpu::CpuId;

check! {
    name: "user/greedy",
    doc: "Beside a program that asks for ticks which never come, once, again and again, or before it sleeps, or leaves its tick to others, its equals get their turns.",
    kind: Test,
    run: greedy,
}

/// What the program does, by its last argument, after it has asked for the tick.
const WAYS: [&str; 4] =
    ["spins", "asks for it again and again", "sleeps", "leaves its tick to others"];
/// Turns that a thread beside it has to get.
const TURNS: usize = 8;
/// Nanoseconds that this thread sleeps before each.
const SHORT: u64 = 300_000;
/// Which part of the time a thread has to get that computes, of three that are equals, at least.
const PART: u64 = 6;
/// Nanoseconds from a breath to the next when others ran between.
const GAP: u64 = 50_000;

fn greedy(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let last = CpuId::at(cpu::count() - 1);
    for (way, what) in WAYS.into_iter().enumerate() {
        let mut program = Program::new("greedy", 0);
        (program.cpu, program.arguments[2]) = (last, way as u64);
        let launch = program.start(run)?;
        thread::sleep(cx, SHORT);
        let turns = Arc::new(AtomicUsize::new(0));
        let over = timer::now() + program::limit(run);
        let is_over =
            move |turns: &AtomicUsize| turns.load(Relaxed) >= TURNS || timer::now() > over;
        let times = Arc::new((AtomicU64::new(0), AtomicU64::new(0)));
        let (counted, seen, its) = (turns.clone(), turns.clone(), times.clone());
        let sleeps = crew::start(cx, || {
            let counted = counted.clone();
            thread::spawn_bound(last, Name::new("sleeps"), Priority::USER, move |cx| {
                while !is_over(&counted) {
                    thread::sleep(cx, SHORT);
                    counted.fetch_add(1, Relaxed);
                }
            })
        });
        let computes = crew::start(cx, || {
            let (seen, its) = (seen.clone(), its.clone());
            thread::spawn_bound(last, Name::new("computes"), Priority::USER, move |cx| {
                let (start, mut own) = (timer::now(), 0);
                let mut before = start;
                while !is_over(&seen) {
                    thread::breathe(cx);
                    let now = timer::now();
                    own += Some(now - before).filter(|gap| *gap < GAP).unwrap_or(0);
                    before = now;
                }
                its.0.store(own, Relaxed);
                its.1.store(before - start, Relaxed);
            })
        });
        while !is_over(&turns) {
            thread::sleep(cx, SHORT);
        }
        launch.kill();
        let ended = program::wait(run, cx, program.name, launch)?;
        sleeps.join(cx);
        computes.join(cx);
        ensure!(ended.how == How::Faulted, "what was killed ended: {:?}", ended.how);
        let turns = turns.load(Relaxed);
        ensure!(turns >= TURNS, "beside a program that {what}, an equal got {turns} turns");
        let (own, all) = (times.0.load(Relaxed), times.1.load(Relaxed));
        ensure!(own * PART > all, "beside a program that {what}, an equal ran {own} of {all} ns");
    }
    Ok(String::new())
}
