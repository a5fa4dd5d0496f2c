//! Callouts armed, armed again, cancelled and drained from all CPUs, and from their own handlers, while they fire.

use crate::crew::{self, Crew, Ended, Job, Stay};
use crate::dice::Dice;
use crate::registry::{Run, Verdict, check, ensure};
use crate::team::add;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use kernel_core::callout::{Callout, Firing, Reset, When};
use kernel_core::plant::Faults;
use kernel_core::{chaos, cpu, order};
use lwkt_sched::MayBlock;
use percpu::{CpuId, Crit};

check! {
    name: "kernel/callouts",
    doc: "Timers against schedule: callouts of all CPUs fire once for each arming, and never after a drain.",
    kind: Stress,
    run: callouts,
}

/// What the threads do to callouts in a full run.
const DEEDS: u64 = 60_000;
/// The longest that one is armed for, in nanoseconds.
const SPAN: usize = 20_000;
/// Callouts that all threads use at once, for each CPU.
const COMMON: usize = 2;
/// Callouts of one thread's own, and how many drained ones it keeps for a while: would their handlers still run?
const OWN: usize = 3;
const RETIRED: usize = 2;

/// What a callout counts.
struct Counts {
    table: &'static Table,
    number: usize,
    /// Armings of an idle callout, and what ended them.
    armed: AtomicU64,
    stopped: AtomicU64,
    fired: AtomicU64,
    /// Its handler runs.
    running: AtomicBool,
    /// Its owner has drained it.
    closed: AtomicBool,
    /// Times that its handler ran, or went on, after a drain had returned.
    early: AtomicU64,
    chance: AtomicU64,
}

type Timed = Callout<Counts>;

/// What is common to all threads and handlers.
struct Table {
    common: Vec<CommonSlot>,
    early: AtomicU64,
    /// Over all callouts whose counts are closed.
    armed: AtomicU64,
    fired: AtomicU64,
    stopped: AtomicU64,
    drains: AtomicU64,
    wrong: AtomicU64,
}

/// The word of a callout that stays to the end.
struct CommonSlot(AtomicU64);

impl Table {
    fn common(&self, number: usize) -> &'static Timed {
        // Pairs with: `callouts`, release.
        let word = self.common[number].0.load(Ordering::Acquire) as usize;
        // SAFETY: `callouts` made the word from a leaked callout, before any thread worked.
        unsafe { &*core::ptr::with_exposed_provenance::<Timed>(word) }
    }

    /// Takes the counts of a callout that is drained for good.
    fn close(&self, counts: &Counts) {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (armed, fired, stopped) = (of(&counts.armed), of(&counts.fired), of(&counts.stopped));
        self.armed.fetch_add(armed, Ordering::Relaxed);
        self.fired.fetch_add(fired, Ordering::Relaxed);
        self.stopped.fetch_add(stopped, Ordering::Relaxed);
        self.early.fetch_add(of(&counts.early), Ordering::Relaxed);
        self.wrong.fetch_add(u64::from(armed != fired + stopped), Ordering::Relaxed);
    }
}

fn fresh(table: &'static Table, number: usize) -> Timed {
    let none = || AtomicU64::new(0);
    let counts = Counts {
        table,
        number,
        armed: none(),
        stopped: none(),
        fired: none(),
        running: AtomicBool::new(false),
        closed: AtomicBool::new(false),
        early: none(),
        chance: AtomicU64::new(chaos::mix(number as u64)),
    };
    if number.is_multiple_of(2) {
        Callout::threaded(slow, counts)
    } else {
        Callout::short(quick, counts)
    }
}

impl Counts {
    /// A number below `bound`, for its handler.
    fn below(&self, bound: usize) -> usize {
        let next = chaos::mix(self.chance.load(Ordering::Relaxed));
        self.chance.store(next, Ordering::Relaxed);
        next as usize % bound
    }

    fn begin(&self) {
        let late = self.closed.load(Ordering::Relaxed);
        self.early.fetch_add(late.into(), Ordering::Relaxed);
        add(&self.fired, 1);
        order::note(self.number, self.fired.load(Ordering::Relaxed) as usize);
    }

    fn note(&self, reset: Reset) {
        self.armed.fetch_add(u64::from(reset == Reset::Armed), Ordering::Relaxed);
    }

    fn note_stop(&self, was_pending: bool) {
        self.stopped.fetch_add(u64::from(was_pending), Ordering::Relaxed);
    }
}

/// A short handler: sometimes fires again.
fn quick(_: &Crit, firing: &Firing<Counts>) {
    let counts = firing.value();
    counts.begin();
    if counts.below(3) == 0 {
        counts.note(firing.again(When::After(counts.below(SPAN) as u64)));
    }
}

/// A threaded one takes its time, fires again on any CPU, and does something to others.
fn slow(cx: &mut MayBlock, firing: &Firing<Counts>) {
    let counts = firing.value();
    counts.running.store(true, Ordering::Relaxed);
    counts.begin();
    for _ in 0..counts.below(4) {
        crew::relax(cx);
    }
    if counts.below(3) == 0 {
        let cpu = CpuId::at(counts.below(cpu::count()));
        counts.note(firing.again_on(When::After(counts.below(SPAN) as u64), cpu));
    }
    if counts.below(3) == 0 {
        // Only those after it are drained by it: so no two wait for each other.
        let first = if counts.number < counts.table.common.len() { counts.number + 1 } else { 0 };
        let others = counts.table.common.len() - first;
        if others > 0 {
            let other = counts.table.common(first + counts.below(others));
            do_something(
                cx,
                other,
                counts.below(8),
                counts.below(SPAN),
                counts.below(cpu::count()),
            );
        }
    }
    let late = counts.closed.load(Ordering::Relaxed);
    counts.early.fetch_add(late.into(), Ordering::Relaxed);
    counts.running.store(false, Ordering::Relaxed);
}

/// Resets mostly, cancels and drains now and then.
fn do_something(cx: &mut MayBlock, callout: &'static Timed, deed: usize, after: usize, cpu: usize) {
    let counts = callout.value();
    match deed {
        0 => counts.note_stop(callout.cancel(cx)),
        1 => match callout.drain(cx) {
            Ok(was_pending) => {
                counts.table.drains.fetch_add(1, Ordering::Relaxed);
                counts.note_stop(was_pending);
            }
            Err(_) => add(&counts.table.wrong, 1),
        },
        _ => counts.note(callout.reset(cx, When::After(after as u64), CpuId::at(cpu))),
    }
}

fn callouts(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let cpus = cpu::count();
    let none = || AtomicU64::new(0);
    let common = || (0..COMMON * cpus).map(|_| CommonSlot(none())).collect();
    let memory = Box::into_raw(Box::new(Table {
        common: common(),
        early: none(),
        armed: none(),
        fired: none(),
        stopped: none(),
        drains: none(),
        wrong: none(),
    }));
    // SAFETY: it is not freed before the end of this function, nor when anything is left that uses it.
    let table: &'static Table = unsafe { &*memory };
    for number in 0..table.common.len() {
        let word = Box::into_raw(Box::new(fresh(table, number))).expose_provenance();
        // Pairs with: `Table::common`, acquire.
        table.common[number].0.store(word as u64, Ordering::Release);
    }
    let each = (run.slow_steps(DEEDS) / cpus as u64).max(16);
    let shared = Arc::new((table, each));
    let job = Job {
        name: "hand",
        shared,
        work: |cx, crew, &(table, each): &(&'static Table, u64), me| {
            hand(cx, crew, table, each, me)
        },
        faults: Faults::Drains,
        stay: Stay::Free,
        meet: |_, _, _| (),
    };
    let ended = crew::run(run, cx, &job, crew::everywhere());
    ended.nobody_deaf("callouts' messages")?;
    ensure!(ended == Ended::Done, "a drain, a cancel or a reset does not end");
    // Handlers do something to those after them only: when all before it are drained, a drain is the last word.
    for number in 0..table.common.len() {
        let callout = table.common(number);
        callout.value().note_stop(callout.drain(cx) == Ok(true));
        let running = callout.value().running.load(Ordering::Relaxed);
        table.early.fetch_add(running.into(), Ordering::Relaxed);
        table.close(callout.value());
    }
    crew::settle();
    let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (armed, fired, stopped) = (of(&table.armed), of(&table.fired), of(&table.stopped));
    let (drains, early, wrong) = (of(&table.drains), of(&table.early), of(&table.wrong));
    run.count("armed", armed);
    run.count("fired", fired);
    run.count("stopped", stopped);
    run.count("drains", drains);
    ensure!(early == 0, "{early} times a handler ran although a drain of its callout had returned");
    ensure!(
        wrong == 0 && armed == fired + stopped,
        "{armed} armings, {fired} firings and {stopped} stopped before: {wrong} callouts are wrong"
    );
    for slot in &table.common {
        let word = slot.0.load(Ordering::Relaxed) as usize;
        // SAFETY: out of a box (above), drained for good: nobody touches it any more.
        drop(unsafe { Box::from_raw(core::ptr::with_exposed_provenance_mut::<Timed>(word)) });
    }
    // SAFETY: as above; the threads that knew it are over, and so are all callouts.
    drop(unsafe { Box::from_raw(memory) });
    Ok(format!(
        "{armed} armings over {cpus} CPUs: {fired} fired once, {stopped} stopped before; {drains} drains, none early"
    ))
}

/// Does things to callouts that everybody uses, and to its own, whose memory it uses again and again.
fn hand(cx: &mut MayBlock, crew: &Crew, table: &'static Table, each: u64, me: usize) {
    let (cpus, mut dice) = (cpu::count(), Dice::new(me));
    let make = |which| Private::new(table, table.common.len() + me * OWN + which);
    let mut own: Vec<Private> = (0..OWN).map(make).collect();
    let mut retired: VecDeque<Private> = VecDeque::with_capacity(RETIRED + 1);
    for step in 0..each {
        if crew.is_stopped() {
            return;
        }
        let (after, cpu) = (dice.below(SPAN), dice.below(cpus));
        if dice.below(2) == 0 {
            let callout = table.common(dice.below(table.common.len()));
            do_something(cx, callout, dice.below(8), after, cpu);
        } else {
            let which = dice.below(OWN);
            match dice.below(6) {
                0 => {
                    own[which].drain(cx);
                    if retired.len() == RETIRED {
                        // The next one most likely gets its memory.
                        retired.pop_front().into_iter().for_each(Private::free);
                    }
                    retired.push_back(core::mem::replace(&mut own[which], make(which)));
                }
                deed => {
                    do_something(cx, own[which].get(), deed.saturating_sub(1).min(2), after, cpu)
                }
            }
        }
        order::note(me << 8 | cpu, step as usize);
        crew.step();
        if dice.below(3) == 0 {
            crew::relax(cx);
        }
    }
    own.iter().for_each(|callout| callout.drain(cx));
    own.into_iter().chain(retired).for_each(Private::free);
}

/// A callout that one thread alone, and its own handler, use.
struct Private(*mut Timed);

impl Private {
    fn new(table: &'static Table, number: usize) -> Self {
        Self(Box::into_raw(Box::new(fresh(table, number))))
    }

    fn get(&self) -> &'static Timed {
        // SAFETY: out of a box (`new`), which only `free` takes back, when it is drained.
        unsafe { &*self.0 }
    }

    /// Drains it for good.
    fn drain(&self, cx: &mut MayBlock) {
        let callout = self.get();
        let counts = callout.value();
        counts.note_stop(callout.drain(cx) == Ok(true));
        counts.table.drains.fetch_add(1, Ordering::Relaxed);
        counts.closed.store(true, Ordering::Relaxed);
        let running = counts.running.load(Ordering::Relaxed);
        counts.early.fetch_add(running.into(), Ordering::Relaxed);
    }

    /// Gives its memory back some time after it was drained; keeps it if its handler ran since.
    fn free(self) {
        let counts = self.get().value();
        counts.table.close(counts);
        if counts.early.load(Ordering::Relaxed) == 0 {
            // SAFETY: out of a box; drained, so nobody touches it any more.
            drop(unsafe { Box::from_raw(self.0) });
        }
    }
}
