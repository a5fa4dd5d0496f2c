//! Threads that wait for a time, while others wake them at about that time.

use crate::crew::{self, Crew, Ended, Job, Stay};
use crate::dice::Dice;
use crate::registry::{Run, Verdict, check, ensure};
use crate::team::{Team, add};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use kernel_core::plant::Faults;
use kernel_core::{cpu, order, thread, timer};
use lwkt_sched::{MayBlock, Why};
use percpu::CpuId;

check! {
    name: "kernel/timers",
    doc: "Sleeps whose end races with a wake from another CPU: none ends early, none is lost.",
    kind: Stress,
    run: timers,
}

/// Pairs of threads for each CPU: one sleeps, one wakes it.
const PAIRS: usize = 3;
/// Sleeps of a full run.
const SLEEPS: u64 = 60_000;
/// Longest sleep of the race, in nanoseconds.
const SPAN: usize = 20_000;
/// A sleep that only a wake can end: an hour.
const FAR: u64 = 3_600_000_000_000;

#[derive(Default)]
struct Pair {
    /// Wakes sent to the sleeper.
    sent: AtomicU64,
    /// Sleeps that it has begun: the waker sends one wake for each.
    begun: AtomicU64,
    woken: AtomicU64,
    expired: AtomicU64,
    early: AtomicU64,
    /// Nanoseconds after its deadline that a sleep ended, at worst.
    latest: AtomicU64,
}

struct Timers {
    /// The sleepers.
    pairs: Team<Pair>,
    each: u64,
}

fn timers(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let cpus = cpu::count();
    let pairs = PAIRS * cpus;
    let each = (run.slow_steps(SLEEPS) / pairs as u64).max(8);
    let shared = Arc::new(Timers { pairs: Team::new(pairs, Pair::default), each });
    // Threads 0.. sleep, the second half wakes, each from the CPU after its sleeper's.
    let places =
        (0..2 * pairs).map(move |n| CpuId::at(if n < pairs { n % cpus } else { (n + 1) % cpus }));
    let job = Job {
        name: "timers",
        shared: shared.clone(),
        work,
        faults: Faults::All,
        stay: Stay::Free,
        meet: |s, n, t| s.pairs.enter(n, t),
    };
    let ended = crew::run(run, cx, &job, places);
    let sum = |of: fn(&Pair) -> &AtomicU64| {
        shared.pairs.parts().map(|p| of(p).load(Ordering::Relaxed)).sum::<u64>()
    };
    let (woken, expired) = (sum(|p| &p.woken), sum(|p| &p.expired));
    let early = sum(|p| &p.early);
    let latest = shared.pairs.parts().map(|p| p.latest.load(Ordering::Relaxed)).max().unwrap_or(0);
    run.count("woken", woken);
    run.count("expired", expired);
    run.count("latest_ns", latest);
    ensure!(early == 0, "{early} sleeps ended before their time");
    ended.nobody_deaf("wakes")?;
    if ended != Ended::Done {
        return Err(shared.stuck(sum(|p| &p.begun), woken + expired));
    }
    let total = each * pairs as u64;
    ensure!(
        woken + expired == total,
        "{total} sleeps, but {woken} wakes and {expired} deadlines ended them"
    );
    Ok(format!(
        "{total} sleeps: {woken} ended by a wake, {expired} by their time, none early or lost"
    ))
}

impl Timers {
    /// Why nobody goes on.
    fn stuck(&self, begun: u64, ended: u64) -> String {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let deaf = |pair: &Pair| of(&pair.sent) > of(&pair.woken) + of(&pair.expired);
        match self.pairs.parts().position(deaf) {
            Some(thread) => {
                let (cpu, sent) =
                    (self.pairs.home(thread).index(), of(&self.pairs.part(thread).sent));
                format!(
                    "a wake of a sleeper was lost: thread {thread} on CPU {cpu} was woken {sent} times and saw one less"
                )
            }
            None => format!("a sleep did not end when its time came: {begun} begun, {ended} ended"),
        }
    }
}

fn work(cx: &mut MayBlock, crew: &Crew, timers: &Timers, me: usize) {
    let pairs = timers.pairs.len();
    if me < pairs { sleeper(cx, crew, timers, me) } else { waker(cx, crew, timers, me - pairs) }
}

/// Sleeps until its time or a wake, whichever is first; every eighth time only a wake can end it.
fn sleeper(cx: &mut MayBlock, crew: &Crew, timers: &Timers, me: usize) {
    let pair = timers.pairs.part(me);
    let mut dice = Dice::new(me);
    for number in 1..=timers.each {
        let start = timer::now();
        let far = number % 8 == 0;
        let deadline = start + if far { FAR } else { dice.below(SPAN) as u64 };
        // Pairs with: `waker`, acquire. This is what its wake is for.
        pair.begun.store(number, Ordering::Release);
        let woken = cpu::critical(|crit| {
            loop {
                // Pairs with: `waker`, release.
                if pair.sent.load(Ordering::Acquire) >= number {
                    break true;
                }
                if timer::now() >= deadline || crew.is_stopped() {
                    break false;
                }
                thread::sleep_until(crit, cx, Why::SLEEP, deadline);
            }
        });
        if crew.is_stopped() {
            return;
        }
        let end = timer::now();
        let late = end.saturating_sub(deadline);
        order::note(me << 1 | usize::from(woken), number as usize);
        add(if woken { &pair.woken } else { &pair.expired }, 1);
        if !woken {
            add(&pair.early, u64::from(end < deadline));
            pair.latest.fetch_max(late, Ordering::Relaxed);
        }
        // The wake for this sleep must be over before the next begins.
        // Pairs with: `waker`, release.
        while pair.sent.load(Ordering::Acquire) < number && !crew.is_stopped() {
            thread::yield_now(cx);
            arch::irq::pause();
        }
        crew.step();
    }
}

/// Wakes its sleeper once in each sleep, about when that would end anyway.
fn waker(cx: &mut MayBlock, crew: &Crew, timers: &Timers, me: usize) {
    let pair = timers.pairs.part(me);
    let mut dice = Dice::new(me + timers.pairs.len());
    for number in 1..=timers.each {
        // Pairs with: `sleeper`, release.
        while pair.begun.load(Ordering::Acquire) < number {
            if crew.is_stopped() {
                return;
            }
            crew::relax(cx);
        }
        thread::sleep(cx, dice.below(SPAN) as u64);
        // Pairs with: `sleeper`, acquire.
        pair.sent.store(number, Ordering::Release);
        cpu::critical(|crit| timers.pairs.wake(crit, me));
    }
}
