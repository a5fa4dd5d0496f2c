//! A program does not keep a CPU to itself by the tick that it asks for.

use crate::crew;
use crate::program::{self, Program};
use crate::registry::{Run, Verdict, check, ensure};
use alloc::string::String;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use kernel_core::process::How;
use kernel_core::{cpu, thread, timer};
use lwkt_sched::{MayBlock, Name, Priority};
use percpu::CpuId;

check! {
    name: "user/greedy",
    doc: "Beside a program that asks for a tick which never comes, once, again and again, or before it sleeps, its equals get their turns.",
    kind: Test,
    run: greedy,
}

/// What the program does, by its last argument, after it has asked for the tick.
const WAYS: [&str; 3] = ["spins", "asks for it again and again", "sleeps"];
/// Turns that a thread beside it has to get.
const TURNS: usize = 8;
/// Nanoseconds that this thread sleeps before each.
const SHORT: u64 = 300_000;

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
        let (counted, seen) = (turns.clone(), turns.clone());
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
            let seen = seen.clone();
            thread::spawn_bound(last, Name::new("computes"), Priority::USER, move |cx| {
                while !is_over(&seen) {
                    thread::breathe(cx);
                }
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
    }
    Ok(String::new())
}
