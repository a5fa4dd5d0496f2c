//! A tick that is far off is no reason for a CPU at rest to wake.

use crate::program::{self, Program};
use crate::registry::{Run, Verdict, check, ensure};
use alloc::string::String;
use kernel_core::process::How;
use kernel_core::{cpu, thread};
use lwkt_sched::MayBlock;
use servers::options::Clock;

check! {
    name: "user/far_tick",
    doc: "A program that asked for a tick which never comes, and waits without a time, leaves no timer armed on its CPU: it would hide a deadlock.",
    kind: Test,
    run: far_tick,
}

/// In nanoseconds: time for the program to get to its wait.
const THERE: u64 = 20_000_000;
/// In nanoseconds: a timer that is armed for longer than it can count fires a few times meanwhile.
const LONG: u64 = 5_000_000_000;

fn far_tick(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    // Where this thread sleeps, too, its own timer fires; and where time is real, it is too long.
    if run.options.clock != Clock::Insns || cpu::count() == 1 {
        return Ok(String::new());
    }
    let there = cpu::all().last().ok_or("there is a CPU")?;
    let mut program = Program::new("greedy", 0);
    (program.cpu, program.arguments[2]) = (there.id(), 5);
    let launch = program.start(run)?;
    thread::sleep(cx, THERE);
    let before = there.counters.timers.get();
    thread::sleep(cx, LONG);
    let fired = there.counters.timers.get() - before;
    launch.kill();
    let ended = program::wait(run, cx, program.name, launch)?;
    ensure!(ended.how == How::Faulted, "what was killed ended: {:?}", ended.how);
    ensure!(fired == 0, "{fired} timers in {LONG} ns on a CPU at rest");
    Ok(String::new())
}
