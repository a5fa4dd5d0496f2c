//! Runs the registered benchmarks and turns what they leave into records.

use crate::env::World;
use crate::stats::Summary;
use crate::wire::{Record, Values};
use crate::{BENCHES, Bench, Bencher, Curve, Env, Settings, Unit, matches};

/// Runs of equal samples in one record.
const RUNS: usize = 32;

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// Measured, all checks held.
    pub passed: usize,
    /// A check failed, or nothing was measured.
    pub failed: usize,
    /// Not possible here.
    pub skipped: usize,
}

/// Runs all benchmarks of this image that match, by name. `samples` is the buffer for one benchmark at a time.
pub fn run<E: Env>(
    settings: &Settings<'_>,
    samples: &mut [u64],
    sink: &mut dyn FnMut(&Record<'_>),
) -> Outcome {
    let mut outcome = Outcome::default();
    for bench in chosen(settings) {
        match one::<E>(bench, settings, samples, sink) {
            Some(true) => outcome.passed += 1,
            Some(false) => outcome.failed += 1,
            None => outcome.skipped += 1,
        }
    }
    outcome
}

/// Sends a [`Record::BenchInfo`] for each benchmark of this image that matches, by name.
pub fn list(settings: &Settings<'_>, sink: &mut dyn FnMut(&Record<'_>)) {
    for bench in chosen(settings) {
        sink(&Record::BenchInfo {
            name: bench.name,
            doc: bench.doc,
            goal: bench.goal,
            lies: bench.lies,
            shape: bench.shape,
            cpus: bench.cpus as u64,
        });
    }
}

/// The benchmarks that match, by name.
fn chosen(settings: &Settings<'_>) -> impl Iterator<Item = &'static Bench> {
    by_name().filter(|bench| {
        matches(settings.filter, bench.name) && (bench.curve == Curve::Cpus || !settings.curves)
    })
}

/// The benchmarks in the order of their names: the linker's order means nothing.
fn by_name() -> impl Iterator<Item = &'static Bench> {
    let mut last: Option<&'static str> = None;
    core::iter::from_fn(move || {
        let next = BENCHES
            .iter()
            .filter(|bench| last.is_none_or(|last| bench.name > last))
            .min_by_key(|bench| bench.name);
        last = next.map(|bench| bench.name);
        next
    })
}

/// Runs one benchmark: whether it passed, or `None` if it was skipped.
pub fn one<E: Env>(
    bench: &Bench,
    settings: &Settings<'_>,
    samples: &mut [u64],
    sink: &mut dyn FnMut(&Record<'_>),
) -> Option<bool> {
    let name = bench.name;
    let world: &'static World = const { &World::of::<E>() };
    sink(&Record::BenchBegin { name });
    if (world.cpus)() < bench.cpus {
        sink(&Record::BenchSkip { name, reason: "needs more CPUs" });
        return None;
    }
    if BENCHES.iter().filter(|other| other.name == name).count() > 1 {
        return Some(refuse(bench, "two benchmarks have this name", sink));
    }
    // Touched now, so that no sample meets a cold page.
    samples.fill(0);
    (world.settle)();
    let mut bencher = Bencher::new(world, settings, samples);
    (bench.run)(&mut bencher);
    let measured = bencher.result;
    if let Some(reason) = measured.skipped {
        sink(&Record::BenchSkip { name, reason });
        return None;
    }
    let samples = &mut samples[..measured.n];
    send_samples(name, samples, sink);
    let summary = Summary::of(samples);
    let ok = summary.is_some() && measured.failed.is_none();
    let message =
        measured.failed.unwrap_or(if summary.is_none() { "nothing was measured" } else { "" });
    sink(&Record::Counters { name, values: Values::Plain(measured.counters.values()) });
    sink(&Record::BenchEnd {
        name,
        goal: bench.goal,
        ok,
        unit: match bench.unit {
            Unit::Ticks => settings.mode.tick(),
            Unit::Count(what) => what,
        },
        n: measured.n as u64,
        warmup: measured.warmup as u64,
        batch: measured.batch,
        ops: measured.ops,
        overhead: measured.overhead,
        overhead_max: measured.overhead_max,
        summary: Values::Plain(&summary.unwrap_or_default().values()),
        message,
    });
    Some(ok)
}

/// A benchmark that was not run fails.
fn refuse(bench: &Bench, message: &str, sink: &mut dyn FnMut(&Record<'_>)) -> bool {
    sink(&Record::BenchEnd {
        name: bench.name,
        goal: bench.goal,
        ok: false,
        unit: "",
        n: 0,
        warmup: 0,
        batch: 1,
        ops: 1,
        overhead: 0,
        overhead_max: 0,
        summary: Values::Plain(&Summary::default().values()),
        message,
    });
    false
}

/// Sends the samples in the order taken, as pairs of value and count of equal neighbours.
fn send_samples(name: &str, samples: &[u64], sink: &mut dyn FnMut(&Record<'_>)) {
    let mut pairs = [0; 2 * RUNS];
    let mut used = 0;
    for run in samples.chunk_by(|a, b| a == b) {
        if used == pairs.len() {
            sink(&Record::Samples { name, runs: Values::Plain(&pairs[..used]) });
            used = 0;
        }
        pairs[used] = run[0];
        pairs[used + 1] = run.len() as u64;
        used += 2;
    }
    if used != 0 {
        sink(&Record::Samples { name, runs: Values::Plain(&pairs[..used]) });
    }
}

#[cfg(test)]
mod tests;
