//! Plays a workload in the kernel: real threads, which compute, sleep, meet, and send each other messages, as `workload` says.
//!
//! ```text
//!   play: decode ─▶ threads, each asleep until the start ─▶ counters ─▶ sleep ─▶ counters ─▶ end the threads ─▶ records
//! ```
//! Law: nothing but the workload happens between the two looks at the counters, and what the player itself adds to them is known and
//! taken off ([`window`]). A thread's work takes time and no instructions ([`kernel_core::timer::occupy`]); its own
//! bookkeeping is part of its work. What the simulator counts of the same workload is held against this by `./x sim --kernel`.
#![no_std]

extern crate alloc;

mod player;
mod stage;
mod window;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bench_api::wire::{Named, Record};
use kernel_core::{cpu, records, say, thread, timer};
use lwkt_sched::{MayBlock, Name, Priority};
use percpu::CpuId;
use stage::Stage;
use window::Window;
use workload::{Wakes, Workload, form, jain};

/// Nanoseconds for a thread to get ready in.
const READY: u64 = 200_000;
/// What is left of that, at least, when the counters are looked at.
const REST: u64 = 1_000_000;

/// Plays the workload that the loader put beside the kernel; whether it came to its end.
pub fn play(cx: &mut MayBlock, module: Option<&[u8]>, seed: u64) -> bool {
    let played = module.ok_or("there is no workload beside the kernel (-initrd)".to_string());
    let played = played.and_then(|bytes| form::decode(bytes).map_err(|bad| bad.to_string()));
    match played.and_then(|workload| run(cx, workload, seed)) {
        Ok(ok) => ok,
        Err(why) => {
            say!("no workload is played: {why}");
            false
        }
    }
}

fn run(cx: &mut MayBlock, workload: Workload, seed: u64) -> Result<bool, String> {
    workload.fits(cpu::count())?;
    if workload.jobs.is_none() {
        return Err("it must say how many jobs a thread has to do".to_string());
    }
    let stage = Stage::set(workload, seed, cpu::count());
    let start = timer::now() + 2 * REST + READY * stage.players().count() as u64;
    stage.start_at(start);
    let mut handles = Vec::new();
    for (number, index) in stage.players() {
        let group = stage.group(number);
        let cpu = CpuId::at(group.place(stage, index));
        let priority = Priority::new(group.said(stage).priority).ok_or("no such priority")?;
        let name = Name::new(&group.said(stage).name);
        let live = move |cx: &mut MayBlock| player::live(cx, stage, number, index);
        let said = group.said(stage);
        let handle = if said.go.is_none() && !stage.workload().may_be_pulled(said) {
            thread::spawn_bound(cpu, name, priority, live)
        } else {
            thread::spawn_on(cpu, name, priority, live)
        };
        let handle = handle.map_err(|_| "no memory for its threads".to_string())?;
        group.member(index).enter(handle.thread());
        handles.push(handle);
    }
    // They get ready, and sleep.
    thread::sleep(cx, start.saturating_sub(REST + timer::now()));
    let ready = stage.players().all(|(number, index)| stage.group(number).member(index).is_ready());
    let counts = ready.then(|| {
        let end = start + stage.workload().duration;
        // It has a deadline itself, so that no deadlock is without end.
        cpu::unwatched(|| {
            let window = Window::open();
            // The start ends a rest of each CPU that has somebody.
            let rests = cpu::rests() + stage.places().count() as u64;
            thread::sleep(cx, end.saturating_sub(timer::now()));
            (rests, window.close())
        })
    });
    stage.dismiss(cx);
    handles.into_iter().for_each(|handle| handle.join(cx));
    counts
        .map(|(rests, counts)| report(stage, rests, counts))
        .ok_or("its threads were not ready in time".to_string())
}

/// Sends out what came of it; whether it is over. So many rests were over when it began.
fn report(stage: &'static Stage, before: u64, counts: window::Counts) -> bool {
    let name = &*stage.workload().name;
    let mut over = true;
    let (mut last, mut turns, mut rests) = (0, 0, 0);
    for number in 0..stage.workload().groups.len() {
        let group = stage.group(number);
        let (mut wakes, mut shares) = (Vec::new(), Vec::new());
        let (mut came, mut done, mut service) = (group.came(), 0, 0);
        for index in 0..group.count() {
            let tally = group.member(index).take_tally();
            over &= tally.ended;
            came += tally.came;
            done += tally.done;
            service += tally.service;
            turns += tally.turns;
            last = last.max(tally.last);
            rests = rests.max(tally.rests);
            shares.push(tally.cpu_time);
            wakes.extend(tally.wakes);
        }
        over &= came == done;
        let (part, whole) = jain(&shares);
        let woken = Wakes::of(wakes);
        let counts = [
            ("threads", group.count() as u64),
            ("came", came),
            ("done", done),
            ("in_flight", came - done),
            ("wakes", woken.count),
            ("wake_to_run_p50", woken.p50),
            ("wake_to_run_p99", woken.p99),
            ("wake_to_run_p999", woken.p999),
            ("wake_to_run_max", woken.max),
            ("service", service),
            ("jain_ppm", (part * 1_000_000 / whole) as u64),
            ("cpu_time", shares.iter().sum()),
        ];
        let group = &*group.said(stage).name;
        records::emit(&Record::PlayedGroup { name, group, counts: Named::Plain(&counts) });
    }
    let all = [("duration", last), ("ticks", turns), ("rests", rests.saturating_sub(before))];
    let counts: Vec<_> = all.into_iter().chain(counts).collect();
    let message = if over {
        String::new()
    } else {
        format!("not all was done after {} ns", stage.workload().duration)
    };
    let (counts, message) = (Named::Plain(&counts), &*message);
    records::emit(&Record::Played { name, cpus: cpu::count() as u64, ok: over, counts, message });
    over
}
