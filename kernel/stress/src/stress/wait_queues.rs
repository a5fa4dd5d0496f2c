//! One wait queue for all: things that are given and taken over it, and threads that are counted as they are woken.

use crate::crew::{self, Crew, Ended, Job, Stay};
use crate::dice::Dice;
use crate::registry::{Run, Verdict, check, ensure};
use crate::team::add;
use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use kernel_core::faults::Fault;
use kernel_core::plant::Faults;
use kernel_core::wait_queue::WaitQueue;
use kernel_core::{cpu, order, timer};
use lwkt_sched::MayBlock;
use percpu::CpuId;

check! {
    name: "kernel/wait_queues",
    doc: "Threads of all CPUs wait on one queue, some for a time only: no wake is lost, and a wake-one wakes one or nobody.",
    kind: Stress,
    run: wait_queues,
}

/// Things of a full run.
const THINGS: u64 = 60_000;
/// Rounds of a full run in which each wake is counted.
const ROUNDS: u64 = 1_500;
/// Threads on each CPU that wait; one more gives or wakes.
const EACH: usize = 3;
/// The longest that a taker waits which does so for a time only, in nanoseconds.
const SPAN: usize = 20_000;

fn wait_queues(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let cpus = cpu::count();
    let (things, nobody, late) = takes(run, cx)?;
    // It knows a wake of the queue by being asked again, as any wake has it.
    run.is_spared(Fault::SpuriousWake);
    let (woken, vain) = counted(run, cx)?;
    run.count("things", things);
    run.count("nobody_waited", nobody);
    run.count("timed_out", late);
    run.count("woken", woken);
    run.count("woken_nobody", vain);
    Ok(format!(
        "{things} things over {cpus} CPUs taken once each, {late} waits timed out; {woken} wakes woke one each, {vain} nobody"
    ))
}

fn places(cpus: usize) -> impl Iterator<Item = CpuId> {
    (0..(EACH + 1) * cpus).map(move |number| CpuId::at(number % cpus))
}

/// What is given and taken.
struct Things {
    queue: &'static WaitQueue,
    there: AtomicU64,
    given: AtomicU64,
    taken: AtomicU64,
    nobody: AtomicU64,
    late: AtomicU64,
    early: AtomicU64,
    each: u64,
    total: u64,
}

fn takes(run: &mut Run<'_>, cx: &mut MayBlock) -> Result<(u64, u64, u64), alloc::string::String> {
    let cpus = cpu::count();
    let each = (run.slow_steps(THINGS) / cpus as u64).max(8);
    let queue: &'static mut WaitQueue = Box::leak(Box::new(WaitQueue::new()));
    let memory = &raw mut *queue;
    let zero = || AtomicU64::new(0);
    let shared = Arc::new(Things {
        queue,
        there: zero(),
        given: zero(),
        taken: zero(),
        nobody: zero(),
        late: zero(),
        early: zero(),
        each,
        total: each * cpus as u64,
    });
    let job = Job {
        name: "things",
        shared: shared.clone(),
        work: |cx, crew, things: &Things, me| {
            if me < cpu::count() { give(cx, crew, things, me) } else { take(cx, crew, things, me) }
        },
        faults: Faults::All,
        stay: Stay::Free,
        meet: |_, _, _| (),
    };
    let ended = crew::run(run, cx, &job, places(cpus));
    let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (there, given, taken) = (of(&shared.there), of(&shared.given), of(&shared.taken));
    ended.nobody_deaf("wakes")?;
    ensure!(
        ended == Ended::Done,
        "a wake of the queue was lost: {there} things lie there and everybody waits ({given} given, {taken} taken)"
    );
    ensure!(
        given == taken && there == 0 && given == shared.total,
        "{given} things were given and {taken} taken, {there} are there"
    );
    ensure!(of(&shared.early) == 0, "{} waits ended before their time", of(&shared.early));
    // SAFETY: it came out of the box above; the threads are over, and each CPU has executed what was sent to it (`crew::run`).
    drop(unsafe { Box::from_raw(memory) });
    Ok((taken, of(&shared.nobody), of(&shared.late)))
}

/// Gives: mostly one at a time.
fn give(cx: &mut MayBlock, crew: &Crew, things: &Things, me: usize) {
    let mut dice = Dice::new(me);
    let mut left = things.each;
    while left > 0 && !crew.is_stopped() {
        let some = if dice.below(8) == 0 { left.min(3) } else { 1 };
        left -= some;
        // Relaxed: the queue orders what is waited for.
        things.there.fetch_add(some, Ordering::Relaxed);
        things.given.fetch_add(some, Ordering::Relaxed);
        if some > 1 {
            cpu::critical(|crit| things.queue.wake_all(crit));
        } else if dice.below(4) == 0 {
            let woke = things.queue.wake_one_and_know(cx);
            things.nobody.fetch_add(u64::from(!woke), Ordering::Relaxed);
        } else {
            cpu::critical(|crit| things.queue.wake_one(crit));
        }
        order::note(me, left as usize);
        crew.step();
        if dice.below(3) == 0 {
            crew::relax(cx);
        }
    }
}

/// Takes until all are taken; every other time it waits for a while only.
fn take(cx: &mut MayBlock, crew: &Crew, things: &Things, me: usize) {
    let mut dice = Dice::new(me);
    let over = || things.taken.load(Ordering::Relaxed) == things.total || crew.is_stopped();
    while !over() {
        let mut got = false;
        let done = |_: &percpu::Crit| {
            let less = |there: u64| there.checked_sub(1);
            got = things.there.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok();
            got || over()
        };
        if dice.below(2) == 0 {
            things.queue.wait_until(cx, done);
        } else {
            let deadline = timer::now() + dice.below(SPAN) as u64;
            if things.queue.wait_until_by(cx, deadline, done).is_err() {
                things.late.fetch_add(1, Ordering::Relaxed);
                things.early.fetch_add(u64::from(timer::now() < deadline), Ordering::Relaxed);
            }
        }
        if got {
            order::note(me, 1);
            crew.step();
            if things.taken.fetch_add(1, Ordering::Relaxed) + 1 == things.total {
                cpu::critical(|crit| things.queue.wake_all(crit));
            }
        }
    }
}

/// What is counted while threads are woken one by one.
struct Counted {
    queue: &'static WaitQueue,
    rounds: u64,
    /// Threads that wait this round, those that came back before the wake-all, and all that came back.
    waiting: AtomicUsize,
    woken: AtomicUsize,
    back: AtomicUsize,
    /// The round whose wake-all comes next or has come, and the one that all have come back from.
    all: AtomicU64,
    over: AtomicU64,
    /// Waking threads at the barrier, and how often it opened.
    arrived: AtomicUsize,
    opened: AtomicUsize,
    /// Wakes of this round, those that woke somebody; sums of the latter and of the rest.
    wakes: AtomicUsize,
    hits: AtomicUsize,
    sum: AtomicU64,
    vain: AtomicU64,
    wrong: AtomicU64,
}

fn counted(run: &mut Run<'_>, cx: &mut MayBlock) -> Result<(u64, u64), alloc::string::String> {
    let cpus = cpu::count();
    let queue: &'static mut WaitQueue = Box::leak(Box::new(WaitQueue::new()));
    let memory = &raw mut *queue;
    let (zero, none) = (|| AtomicUsize::new(0), || AtomicU64::new(0));
    let shared = Arc::new(Counted {
        queue,
        rounds: (run.slow_steps(ROUNDS) / cpus as u64).max(4),
        waiting: zero(),
        woken: zero(),
        back: zero(),
        all: none(),
        over: none(),
        arrived: zero(),
        opened: zero(),
        wakes: zero(),
        hits: zero(),
        sum: none(),
        vain: none(),
        wrong: none(),
    });
    let job = Job {
        name: "counted",
        shared: shared.clone(),
        work: |cx, crew, counted: &Counted, me| {
            let cpus = cpu::count();
            if me < cpus { wake(cx, crew, counted, me) } else { wait(cx, crew, counted, me) }
        },
        faults: Faults::All,
        stay: Stay::Free,
        meet: |_, _, _| (),
    };
    let ended = crew::run(run, cx, &job, places(cpus));
    let wrong = shared.wrong.load(Ordering::Relaxed);
    ended.nobody_deaf("wakes")?;
    ensure!(wrong == 0, "in {wrong} rounds other than one thread was woken for each wake-one");
    ensure!(ended == Ended::Done, "a wake of the queue was lost: a round does not end");
    // SAFETY: as in `takes`.
    drop(unsafe { Box::from_raw(memory) });
    Ok((shared.sum.load(Ordering::Relaxed), shared.vain.load(Ordering::Relaxed)))
}

/// Waits once in each round, until it is woken at all.
fn wait(cx: &mut MayBlock, crew: &Crew, counted: &Counted, me: usize) {
    for round in 1..=counted.rounds {
        let mut looks = 0;
        counted.queue.wait_until(cx, |_| {
            looks += 1;
            if looks == 1 {
                // On the queue by the time that anything else happens on this CPU.
                counted.waiting.fetch_add(1, Ordering::AcqRel);
            }
            looks > 1 || crew.is_stopped()
        });
        // Pairs with: `wake`, release.
        if counted.all.load(Ordering::Acquire) < round {
            counted.woken.fetch_add(1, Ordering::AcqRel);
        }
        order::note(me, round as usize);
        // Pairs with: `wake`, acquire: the count of those that are back.
        counted.back.fetch_add(1, Ordering::AcqRel);
        crew.step();
        // Not before: the wake-all of this round must not find the next one's waits.
        until(cx, crew, || counted.over.load(Ordering::Acquire) >= round);
    }
}

/// Wakes one or a few in each round; the first of these threads begins and ends it.
fn wake(cx: &mut MayBlock, crew: &Crew, counted: &Counted, me: usize) {
    let (cpus, mut dice) = (cpu::count(), Dice::new(me));
    let waiters = EACH * cpus;
    for round in 1..=counted.rounds {
        if me == 0 {
            until(cx, crew, || counted.waiting.load(Ordering::Acquire) == waiters);
        }
        barrier(cx, crew, counted);
        for _ in 0..dice.below(EACH + 3) {
            let hit = counted.queue.wake_one_and_know(cx);
            counted.wakes.fetch_add(1, Ordering::AcqRel);
            counted.hits.fetch_add(usize::from(hit), Ordering::AcqRel);
        }
        barrier(cx, crew, counted);
        if me == 0 {
            let take = |counter: &AtomicUsize| counter.swap(0, Ordering::AcqRel);
            let (wakes, hits) = (take(&counted.wakes), take(&counted.hits));
            until(cx, crew, || counted.woken.load(Ordering::Acquire) >= hits);
            counted.waiting.store(0, Ordering::Relaxed);
            // Pairs with: `wait`, acquire.
            counted.all.store(round, Ordering::Release);
            let woken = take(&counted.woken);
            let as_it_must = hits == wakes.min(waiters) && woken == hits;
            add(&counted.wrong, u64::from(!as_it_must));
            add(&counted.sum, hits as u64);
            add(&counted.vain, (wakes - hits) as u64);
            cpu::critical(|crit| counted.queue.wake_all(crit));
            until(cx, crew, || counted.back.load(Ordering::Acquire) == waiters);
            // A CPU whose waiters were all woken before may hear of it later, and would wake those of the next round.
            crew::settle();
            counted.back.store(0, Ordering::Relaxed);
            // Pairs with: `wait`, acquire.
            counted.over.store(round, Ordering::Release);
        }
        crew.step();
    }
}

/// Returns when each of the waking threads has come here.
fn barrier(cx: &mut MayBlock, crew: &Crew, counted: &Counted) {
    let opened = counted.opened.load(Ordering::Acquire);
    if counted.arrived.fetch_add(1, Ordering::AcqRel) + 1 == cpu::count() {
        counted.arrived.store(0, Ordering::Relaxed);
        counted.opened.store(opened + 1, Ordering::Release);
    }
    until(cx, crew, || counted.opened.load(Ordering::Acquire) != opened);
}

fn until(cx: &mut MayBlock, crew: &Crew, mut done: impl FnMut() -> bool) {
    while !done() && !crew.is_stopped() {
        crew::relax(cx);
    }
}
