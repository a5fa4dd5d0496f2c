//! Serializers that threads of all CPUs enter, keep over waits and moves, and whose handlers they keep out for a while.

use crate::crew::{self, Crew, Ended, Job, Stay};
use crate::dice::Dice;
use crate::registry::{Run, Verdict, check, ensure};
use alloc::format;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use kernel_core::plant::Faults;
use kernel_core::serializer::Serializer;
use kernel_core::{cpu, order, thread};
use lwkt_sched::MayBlock;
use percpu::CpuId;

check! {
    name: "kernel/serializers",
    doc: "Threads enter serializers, wait and move inside, and keep handlers out: one at a time is in, and no handler that is kept out.",
    kind: Stress,
    run: serializers,
}

/// Threads on each CPU.
const EACH: usize = 3;
/// How often the threads of a full run enter, all together.
const ENTRIES: u64 = 24_000;

/// What a serializer guards: two numbers that are equal but while a thread is in.
struct Guarded {
    one: u64,
    other: u64,
    /// Of `other`, what handlers did.
    handled: u64,
    /// The handlers' number when they were kept out.
    closed_at: Option<u64>,
}

impl Guarded {
    const NEW: Guarded = Guarded { one: 0, other: 0, handled: 0, closed_at: None };
}

static ALL: [Serializer<Guarded>; 3] = [const { Serializer::new(Guarded::NEW) }; 3];

struct Shared {
    each: u64,
    entered: AtomicU64,
    /// Entries that found another thread in, and handlers that came in when kept out.
    at_once: AtomicU64,
    kept_out: AtomicU64,
    moved: AtomicU64,
}

fn serializers(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let cpus = cpu::count();
    let threads = EACH * cpus;
    let shared = Arc::new(Shared {
        each: (run.slow_steps(ENTRIES) / threads as u64).max(1),
        entered: AtomicU64::new(0),
        at_once: AtomicU64::new(0),
        kept_out: AtomicU64::new(0),
        moved: AtomicU64::new(0),
    });
    for one in &ALL {
        let mut held = one.enter(cx);
        *held = Guarded::NEW;
        held.set_handled(true);
    }
    let job = Job {
        name: "serializer",
        shared: shared.clone(),
        work,
        faults: Faults::None,
        stay: Stay::Free,
        meet: |_, _, _| (),
    };
    let places = (0..threads).map(|number| CpuId::at(number / EACH));
    let ended = crew::run(run, cx, &job, places);
    let of = |counter: &AtomicU64| counter.load(Relaxed);
    let (entered, at_once, kept_out) =
        (of(&shared.entered), of(&shared.at_once), of(&shared.kept_out));
    run.count("entered", entered);
    run.count("moved", of(&shared.moved));
    ensure!(ended == Ended::Done, "a thread waits for good ({ended:?}) after {entered} entries");
    ensure!(at_once == 0, "{at_once} times a thread was in that should not");
    let there: u64 = ALL.iter().map(|one| one.enter(cx).other).sum();
    ensure!(there == entered, "{entered} entries, {there} of them left a trace");
    ensure!(kept_out > 0, "no handler was kept out");
    Ok(format!("{entered} entries from {cpus} CPUs, one at a time; {kept_out} handlers kept out"))
}

fn work(cx: &mut MayBlock, crew: &Crew, shared: &Shared, me: usize) {
    let mut dice = Dice::new(me);
    for number in 0..shared.each {
        if crew.is_stopped() {
            return;
        }
        let one = &ALL[dice.below(ALL.len())];
        let did = match dice.below(4) {
            0 => {
                let handler = |cx: &mut MayBlock, guarded: &mut Guarded| {
                    guarded.handled += 1;
                    within(cx, guarded, shared, &mut dice);
                };
                one.handle(cx, handler).is_some()
            }
            1 => {
                let mut held = one.enter(cx);
                let closes = held.is_handled();
                held.set_handled(!closes);
                held.closed_at = closes.then_some(held.handled);
                within(cx, &mut held, shared, &mut dice);
                true
            }
            _ => {
                let mut held = one.enter(cx);
                within(cx, &mut held, shared, &mut dice);
                true
            }
        };
        let counter = if did { &shared.entered } else { &shared.kept_out };
        counter.fetch_add(1, Relaxed);
        order::note(me, number as usize);
        crew.step();
    }
}

/// What two at once would spoil, with a wait in the middle.
fn within(cx: &mut MayBlock, guarded: &mut Guarded, shared: &Shared, dice: &mut Dice) {
    let alone = guarded.one == guarded.other;
    let kept = guarded.closed_at.is_none_or(|handled| handled == guarded.handled);
    shared.at_once.fetch_add(u64::from(!alone || !kept), Relaxed);
    guarded.one += 1;
    match dice.below(4) {
        0 => thread::yield_now(cx),
        1 => thread::sleep(cx, 2_000),
        2 => {
            let to = CpuId::at(dice.below(cpu::count()));
            shared.moved.fetch_add(u64::from(thread::migrate(cx, to).is_ok()), Relaxed);
        }
        _ => arch::irq::pause(),
    }
    guarded.other += 1;
}
