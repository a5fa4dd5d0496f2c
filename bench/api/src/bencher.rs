//! The measuring loop: warm-up, samples, overhead, counters of the window.
//!
//! A sample is the clock's difference over a batch of `k` calls of the step, less the same difference over `k` empty
//! calls, which the same loop measured just before. In mode `insns` `k` is 1 unless the benchmark says otherwise.

use crate::env::{Edge, World};
use crate::peers::{self, Peer};
use crate::wire::{Record, Values};
use crate::{Counters, Mode, Settings};
use core::ops::Range;
use core::sync::atomic::{Ordering::SeqCst, compiler_fence};

/// Samples of a full run, unless the benchmark says otherwise.
const SAMPLES: usize = 1000;
/// Samples of a quick run, at most.
const QUICK: usize = 8;
/// Runs of the empty loop.
const EMPTY: usize = 32;
/// Runs of the empty loop before these: they warm the path up.
const EMPTY_WARMUP: usize = 2;
/// Samples whose instructions are written down, when that is asked for.
const FOLLOWED: usize = 3;

/// Measures one benchmark: handed to its steps.
pub struct Bencher<'a> {
    pub(crate) world: &'static World,
    pub(crate) settings: &'a Settings<'a>,
    pub(crate) samples: &'a mut [u64],
    pub(crate) result: Measured,
    limit: usize,
    batch: Option<u64>,
    ops: u64,
    /// Whether instructions are written down.
    why: bool,
}

/// What the loop leaves beside the samples.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// Samples taken.
    pub n: usize,
    /// Operations per sample.
    pub ops: u64,
    /// Calls per sample.
    pub batch: u64,
    /// Warm-up samples, dropped.
    pub warmup: usize,
    /// Subtracted from each sample.
    pub overhead: u64,
    /// Largest difference of an empty run.
    pub overhead_max: u64,
    /// Counted while the samples were taken.
    pub counters: Counters,
    /// The first check that failed.
    pub failed: Option<&'static str>,
    /// Why there is nothing to measure here.
    pub skipped: Option<&'static str>,
}

impl<'a> Bencher<'a> {
    pub(crate) fn new(
        world: &'static World,
        settings: &'a Settings<'a>,
        samples: &'a mut [u64],
    ) -> Self {
        let result = Measured {
            n: 0,
            ops: 1,
            batch: 1,
            warmup: 0,
            overhead: 0,
            overhead_max: 0,
            counters: Counters::ZERO,
            failed: None,
            skipped: None,
        };
        Self {
            world,
            settings,
            samples,
            result,
            limit: SAMPLES,
            batch: None,
            ops: 1,
            why: settings.why,
        }
    }

    /// Takes `count` samples instead of 1,000 (fewer in a quick run).
    pub fn samples(&mut self, count: usize) -> &mut Self {
        self.limit = count;
        self
    }

    /// Makes each sample a batch of `calls` calls, in every mode. The default is 1 in mode `insns`, else 64.
    pub fn batch(&mut self, calls: u64) -> &mut Self {
        self.batch = Some(calls.max(1));
        self
    }

    /// Says that one call of the step is `count` operations (a yield to a thread that yields back is 2 switches).
    pub fn ops(&mut self, count: u64) -> &mut Self {
        self.ops = count.max(1);
        self
    }

    /// Whether this is a quick run: a test.
    pub fn quick(&self) -> bool {
        self.settings.quick
    }

    /// What a tick is.
    pub fn mode(&self) -> Mode {
        self.settings.mode
    }

    /// The seed of this run.
    pub fn seed(&self) -> u64 {
        self.settings.seed
    }

    /// CPUs that steps can run on.
    pub fn cpus(&self) -> usize {
        (self.world.cpus)()
    }

    /// The clock, for steps that take their own times.
    pub fn ticks(&self) -> u64 {
        (self.world.ticks)()
    }

    /// One turn of a wait.
    pub fn relax(&self) {
        (self.world.relax)();
    }

    /// Begins a window of its own, for checks.
    #[inline(never)] // Not in line, both: the loop between them is to keep its registers.
    pub fn open_window(&self) -> Counters {
        (self.world.counters)(Edge::Opens)
    }

    /// What was counted since the window was opened.
    #[inline(never)]
    pub fn close_window(&self, opened: &Counters) -> Counters {
        (self.world.counters)(Edge::Closes).since(opened)
    }

    /// Returns when the other CPUs have nothing left to do.
    pub fn settle(&self) {
        (self.world.settle)();
    }

    /// Fails the benchmark unless `holds`; the first failure is reported, the measurement goes on.
    pub fn check(&mut self, holds: bool, what: &'static str) {
        if !holds && self.result.failed.is_none() {
            self.result.failed = Some(what);
        }
    }

    /// Reports that there is nothing to measure here, and why.
    pub fn skip(&mut self, reason: &'static str) {
        self.result.skipped = Some(reason);
    }

    /// Measures `step`.
    pub fn iter(&mut self, mut step: impl FnMut()) {
        let batch = self.batch.unwrap_or(if self.settings.mode == Mode::Insns { 1 } else { 64 });
        let ticks = self.world.ticks;
        self.begin(batch, |calls| timed(ticks, calls, &mut || ()));
        self.window(self.warmup(), || timed(ticks, batch, &mut step));
    }

    /// Measures `step` on what `prepare` makes anew for each sample, outside the clock. One call per sample.
    pub fn iter_with<T>(&mut self, mut prepare: impl FnMut() -> T, mut step: impl FnMut(&mut T)) {
        let ticks = self.world.ticks;
        self.begin(1, |calls| timed(ticks, calls, &mut || ()));
        self.window(self.warmup(), || {
            let mut input = prepare();
            timed(ticks, 1, &mut || step(&mut input))
        });
    }

    /// Measures with a step that reads the clock itself, twice, and returns the difference for `calls` calls.
    pub fn iter_ticks(&mut self, mut step: impl FnMut(u64) -> u64) {
        let ticks = self.world.ticks;
        let batch = self.batch.unwrap_or(1);
        self.begin(batch, |_| timed(ticks, 0, &mut || ()));
        self.window(self.warmup(), || step(batch));
    }

    /// Takes each sample as counted by `step`, which gets the number of the sample; no clock, no warm-up, no overhead.
    pub fn iter_count(&mut self, mut step: impl FnMut(usize) -> u64) {
        self.why = false;
        self.begin(1, |_| 0);
        let mut number = 0;
        self.window(0, || {
            number += 1;
            step(number - 1)
        });
    }

    /// Runs `peer` on `cpu` while `body` measures here: both start behind a barrier; `peer` returns when
    /// [`Peer::stopped`], and is joined before this returns.
    pub fn on<R>(
        &mut self,
        cpu: usize,
        peer: impl Fn(&Peer<'_>) + Sync,
        body: impl FnOnce(&mut Self) -> R,
    ) -> R {
        self.on_each(cpu..cpu + 1, peer, body)
    }

    /// The same on each of `cpus`; [`Peer::cpu`] tells them apart.
    pub fn on_each<R>(
        &mut self,
        cpus: Range<usize>,
        peer: impl Fn(&Peer<'_>) + Sync,
        body: impl FnOnce(&mut Self) -> R,
    ) -> R {
        let world = self.world;
        peers::on_each(world, cpus, &peer, || body(self))
    }

    /// Measures the overhead and fixes the settings of this measurement.
    fn begin(&mut self, batch: u64, empty: impl Fn(u64) -> u64) {
        self.check(self.result.n == 0, "a benchmark measures once");
        let (mut min, mut max) = (u64::MAX, 0);
        let measured = EMPTY_WARMUP + EMPTY;
        for round in 0..measured + usize::from(self.why) {
            if round == measured {
                (self.world.path)(&Record::PathBegin {});
            }
            let overhead = empty(batch);
            if round == measured {
                (self.world.path)(&Record::PathEnd {
                    empty: true,
                    ticks: Values::Plain(&[overhead]),
                });
            } else if round >= EMPTY_WARMUP {
                min = min.min(overhead);
                max = max.max(overhead);
            }
        }
        self.result.overhead = min;
        self.result.overhead_max = max;
        self.result.batch = batch;
        self.result.ops = batch * self.ops;
    }

    /// Samples of this run.
    fn count(&self) -> usize {
        let most = if self.settings.quick { QUICK } else { usize::MAX };
        self.limit.min(most).min(self.samples.len())
    }

    /// Warm-up samples of this run.
    fn warmup(&self) -> usize {
        (self.count() / 10).max(2)
    }

    /// Drops `warmup` samples, fills the buffer, then has a few more followed, if that is asked for. There is one place
    /// that takes a sample, so that what is followed is the code that was measured.
    fn window(&mut self, warmup: usize, mut sample: impl FnMut() -> u64) {
        let count = self.count();
        let measured = warmup + count;
        let mut followed = [0; FOLLOWED];
        let mut before = Counters::ZERO;
        for turn in 0.. {
            if turn == warmup {
                before = self.open_window();
            }
            if turn == measured {
                self.result.counters = self.close_window(&before);
                if self.why {
                    (self.world.path)(&Record::PathBegin {});
                }
            }
            if turn == measured + if self.why { FOLLOWED } else { 0 } {
                break;
            }
            let value = sample();
            if turn >= measured {
                followed[turn - measured] = value;
            } else if turn >= warmup {
                self.samples[turn - warmup] = value;
            }
        }
        if self.why {
            (self.world.path)(&Record::PathEnd { empty: false, ticks: Values::Plain(&followed) });
        }
        for slot in &mut self.samples[..count] {
            *slot = slot.saturating_sub(self.result.overhead);
        }
        self.result.warmup = warmup;
        self.result.n = count;
    }
}

/// The clock's difference over `calls` calls. The same loop for the step and for the empty step: what it costs by
/// itself falls out.
#[inline(always)]
fn timed(ticks: fn() -> u64, calls: u64, step: &mut impl FnMut()) -> u64 {
    let start = ticks();
    for _ in 0..calls {
        step();
        // Keeps the empty loop a loop; costs nothing.
        compiler_fence(SeqCst);
    }
    ticks().wrapping_sub(start)
}
