//! How long a woken thread waits for a CPU that 64 equals want.
//!
//! ```text
//!   32 heavy threads:  run a turn of 2,000 to 10,000 instructions, wake none to two light ones amid it, yield
//!   32 light threads:  woken, run 200 to 1,000 instructions, wait
//! ```
//! All on one CPU, of one priority, with the other CPUs at rest: so the clock, which counts the instructions of all, is that CPU's own.

use crate::environment::may_block;
use crate::steps::{here, partner};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bench_api::stats::quantile;
use bench_api::{Bencher, Unit};
use core::hint::black_box;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use kernel_core::{chaos, cpu, thread};
use lwkt_sched::{MayBlock, Reason, ThreadRef, Why};

const HEAVY: usize = 32;
const LIGHT: usize = 32;
/// Wakes that are measured, and before them wakes that are not.
const WAKES: usize = 4000;
const WARMUP: usize = 200;

/// A light thread's last wake.
#[derive(Default)]
struct Woken {
    /// When; 0 once it runs.
    at: AtomicU64,
    /// How many turns had begun by then.
    turn: AtomicU64,
}

/// What the threads share: they run on one CPU, and switch only where they say so, so all of it is relaxed.
#[derive(Default)]
struct Load {
    woken: [Woken; LIGHT],
    /// Turns that have begun.
    turns: AtomicU64,
    /// Of each wake: ticks until the thread ran, and turns.
    waits: Vec<(AtomicU64, AtomicU64)>,
    count: AtomicUsize,
    over: AtomicBool,
}

/// Something to do without giving way: two instructions each time.
fn work(times: u64) {
    for time in 0..times {
        black_box(time);
    }
}

impl Load {
    fn begin_turn(&self) -> u64 {
        let turn = self.turns.load(Relaxed) + 1;
        self.turns.store(turn, Relaxed);
        turn
    }

    fn light(&self, cx: &mut MayBlock, number: usize) {
        let woken = &self.woken[number];
        let mut random = chaos::mix(number as u64 + 1);
        loop {
            cpu::critical(|crit| {
                while woken.at.load(Relaxed) == 0 && !self.over.load(Relaxed) {
                    thread::block(crit, cx, Why::on(Reason::Event, woken));
                }
            });
            let now = arch::time::tsc();
            if self.over.load(Relaxed) {
                return;
            }
            let turn = self.begin_turn();
            let count = self.count.load(Relaxed);
            if let Some((ticks, turns)) = self.waits.get(count) {
                ticks.store(now - woken.at.load(Relaxed), Relaxed);
                turns.store(turn - woken.turn.load(Relaxed), Relaxed);
                self.count.store(count + 1, Relaxed);
            }
            woken.at.store(0, Relaxed);
            random = chaos::mix(random);
            work(100 + random % 400);
        }
    }

    fn heavy(&self, cx: &mut MayBlock, number: usize, seed: u64, light: &[ThreadRef]) {
        let mut random = chaos::mix(seed ^ (number as u64 + 1) << 32);
        let mut next = number;
        while self.count.load(Relaxed) < self.waits.len() {
            self.begin_turn();
            random = chaos::mix(random);
            work(500 + random % 2000);
            for _ in 0..(random >> 16) % 3 {
                next = self.wake_one(next, light);
            }
            work(500 + (random >> 32) % 2000);
            thread::yield_now(cx);
        }
    }

    /// Wakes the next light thread that waits, if one does.
    fn wake_one(&self, first: usize, light: &[ThreadRef]) -> usize {
        for number in (first..first + LIGHT).map(|number| number % LIGHT) {
            let woken = &self.woken[number];
            if woken.at.load(Relaxed) == 0 {
                woken.turn.store(self.turns.load(Relaxed), Relaxed);
                woken.at.store(arch::time::tsc(), Relaxed);
                cpu::critical(|crit| thread::wake(crit, light[number]));
                return number + 1;
            }
        }
        first
    }
}

/// Runs the load; ticks and turns that each wake waited.
fn waits(b: &mut Bencher<'_>) -> Vec<(u64, u64)> {
    let wakes = WARMUP + if b.quick() { 100 } else { WAKES };
    let waits = (0..wakes).map(|_| (AtomicU64::new(0), AtomicU64::new(0))).collect();
    let load = Arc::new(Load { waits, ..Load::default() });
    let (mut cx, seed) = (may_block(), b.seed());
    let light: Vec<_> = (0..LIGHT)
        .map(|number| {
            let load = load.clone();
            partner(here(), move |cx| load.light(cx, number))
        })
        .collect();
    let refs: Arc<[ThreadRef]> = light.iter().map(|handle| handle.thread()).collect();
    let heavy: Vec<_> = (0..HEAVY)
        .map(|number| {
            let (load, refs) = (load.clone(), refs.clone());
            partner(here(), move |cx| load.heavy(cx, number, seed, &refs))
        })
        .collect();
    heavy.into_iter().for_each(|handle| handle.join(&mut cx));
    load.over.store(true, Relaxed);
    for handle in light {
        cpu::critical(|crit| thread::wake(crit, handle.thread()));
        handle.join(&mut cx);
    }
    let all = load.waits.iter().map(|(ticks, turns)| (ticks.load(Relaxed), turns.load(Relaxed)));
    all.skip(WARMUP).collect()
}

/// Takes what was measured as samples.
fn take(b: &mut Bencher<'_>, figures: Vec<u64>) {
    b.check(figures.iter().all(|figure| *figure > 0), "each wake was waited for");
    b.samples(figures.len()).iter_count(|number| figures[number]);
}

bench_api::bench! {
    name: "kernel/wake_mixed",
    doc: "From the wake of a thread to its first instruction, on a CPU that 64 equals want: the sum of their turns.",
    unit: Unit::Count("ticks"),
    lies: "The lengths of the turns are the load's own; what the kernel adds is in kernel/switch and kernel/block_wake. Counters are not of the load.",
    shape: "linear in threads that can run; hardly wider than its median",
    run: |b| {
        let figures = waits(b).into_iter().map(|(ticks, _)| ticks).collect();
        take(b, figures);
    },
}

bench_api::bench! {
    name: "kernel/wake_spread",
    doc: "As kernel/wake_mixed, in thousandths of its median: how far the longest waits lie from the usual one.",
    goal: "S12",
    unit: Unit::Count("per mille of the median"),
    lies: "Threads that woken threads overtake would wait longer, and are not woken: kernel/wake_turns has a bound for all.",
    shape: "narrow: first come, first served among equals",
    run: |b| {
        let ticks: Vec<u64> = waits(b).into_iter().map(|(ticks, _)| ticks).collect();
        let mut sorted = ticks.clone();
        sorted.sort_unstable();
        let median = quantile(&sorted, 1, 2).max(1);
        take(b, ticks.into_iter().map(|ticks| ticks * 1000 / median).collect());
    },
}

bench_api::bench! {
    name: "kernel/wake_turns",
    doc: "As kernel/wake_mixed, in turns: how many threads run, or go on running, between the wake and the woken thread's own turn.",
    goal: "S12b",
    unit: Unit::Count("turns"),
    lies: "The rest of the waker's turn counts as one. How long a turn may be is the tick's to say: 10 ms where a thread breathes.",
    shape: "threads that can run, at most",
    run: |b| {
        // From the turn in which it was woken, which counts, up to the one before its own.
        let figures = waits(b).into_iter().map(|(_, turns)| turns).collect();
        take(b, figures);
    },
}
