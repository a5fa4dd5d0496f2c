//! Records to results: checks that nothing was lost on the way.

use bench_api::stats::Summary;
use bench_api::wire::{self, Record};
use bench_api::{Counter, Counters};
use std::fmt;

/// A measured benchmark.
#[derive(Clone, Debug, PartialEq)]
pub struct BenchResult {
    /// `group/name`.
    pub name: String,
    /// Whether all checks held.
    pub ok: bool,
    /// The check that failed, or empty.
    pub message: String,
    /// `insns`, `cycles`, or what was counted.
    pub unit: String,
    /// Warm-up samples, dropped.
    pub warmup: u64,
    /// Calls per sample.
    pub batch: u64,
    /// Operations per sample: a figure is a value divided by this.
    pub ops: u64,
    /// Ticks that were subtracted from each sample.
    pub overhead: u64,
    /// Largest overhead seen.
    pub overhead_max: u64,
    /// Order statistics of the samples.
    pub summary: Summary,
    /// The samples in the order taken.
    pub samples: Vec<u64>,
    /// Counted while they were taken.
    pub counters: Counters,
}

/// A stress test that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct StressResult {
    /// `group/name`.
    pub name: String,
    /// Its seed.
    pub seed: u64,
    /// Whether everything was conserved.
    pub ok: bool,
    /// Hash of the order of events.
    pub trace: u64,
    /// What was counted.
    pub counts: Vec<(String, u64)>,
    /// What was shown, or what failed.
    pub message: String,
}

/// What the guest says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // As in wire::Record::RunBegin.
pub struct Start {
    pub kernel: String,
    pub mode: String,
    pub apic: String,
    pub cpus: u64,
    pub cpus_expected: u64,
    pub seed: u64,
    pub quick: bool,
    pub tick_hz: u64,
    pub clock_within: u64,
    pub clock_apart: u64,
    pub cpu_model: String,
    pub variants: String,
}

/// What a record meant.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // As in wire::Record.
pub enum Event {
    /// The guest is up.
    Start(Start),
    /// A benchmark starts.
    BenchBegin(String),
    /// A benchmark has ended.
    Bench(BenchResult),
    /// A benchmark cannot run here.
    BenchSkip { name: String, reason: String },
    /// A benchmark that could be run.
    BenchInfo { name: String, doc: String, goal: String, lies: String, shape: String, cpus: u64 },
    /// A stress test starts.
    StressBegin { name: String, seed: u64 },
    /// A stress test has ended.
    Stress(StressResult),
    /// A stress test that could be run.
    StressInfo { name: String, doc: String },
    /// A test starts.
    TestBegin(String),
    /// A test has ended.
    Test { name: String, ok: bool, message: String },
    /// A line of text.
    Log { source: String, text: String },
    /// A thread and what it does.
    Thread { name: String, cpu: u64, state: String },
    /// The guest has ended its run.
    End { ok: bool, lost: u64 },
    /// The instructions of a few samples (or of the empty loop) of the benchmark that has begun were written down; their
    /// ticks, overhead included.
    Path { empty: bool, ticks: Vec<u64> },
    /// The timeline of a CPU begins: what follows, and how often each event came to pass.
    Timeline { cpu: u64, lost: u64, counts: Vec<(String, u64)> },
    /// More of it.
    Happened(Vec<probe::Record>),
    /// A group of a workload that was played: what it counted.
    PlayedGroup { name: String, group: String, counts: Vec<(String, u64)> },
    /// A workload was played.
    Played { name: String, cpus: u64, ok: bool, counts: Vec<(String, u64)>, message: String },
    /// A part of a benchmark's result, kept for its end.
    Part,
}

/// Why a record made no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// Not a record.
    Wire(wire::Error),
    /// The guest's records are of another version.
    Version(u64),
    /// Samples are missing.
    Lost {
        /// The benchmark.
        bench: String,
        /// Samples taken.
        taken: u64,
        /// Samples received.
        received: u64,
    },
    /// Guest and host disagree about the statistics.
    Summary(String),
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordError::Wire(error) => write!(f, "not a record: {error}"),
            RecordError::Version(version) => {
                write!(
                    f,
                    "the kernel speaks version {version} of the records, this is version {}",
                    wire::VERSION
                )
            }
            RecordError::Lost { bench, taken, received } => {
                write!(f, "{bench}: {taken} samples were taken, {received} came here")
            }
            RecordError::Summary(bench) => {
                write!(f, "{bench}: kernel and host disagree about the statistics")
            }
        }
    }
}

impl std::error::Error for RecordError {}

impl From<wire::Error> for RecordError {
    fn from(error: wire::Error) -> Self {
        RecordError::Wire(error)
    }
}

/// The bytes of a record in the message of a decoded frame; `None` if the frame is a log line.
pub fn record_bytes(message: &str) -> Option<Vec<u8>> {
    let list = message.strip_prefix(wire::FRAME_PREFIX)?.strip_prefix('[')?.strip_suffix(']')?;
    list.split(',').map(|byte| byte.trim().parse().ok()).collect()
}

fn owned(counts: wire::Named<'_>) -> Vec<(String, u64)> {
    counts.iter().map(|(name, value)| (name.into(), value)).collect()
}

/// Puts the records of a guest together.
#[derive(Default)]
pub struct Collector {
    samples: Vec<u64>,
    counters: Option<Counters>,
}

impl Collector {
    /// Takes the bytes of one record.
    ///
    /// # Errors
    /// [`RecordError`]; the collector goes on with the next record.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Event, RecordError> {
        Ok(match Record::decode(bytes)? {
            Record::RunBegin { version, .. } if version != wire::VERSION => {
                return Err(RecordError::Version(version));
            }
            Record::RunBegin {
                version: _,
                kernel,
                mode,
                apic,
                cpus,
                cpus_expected,
                seed,
                quick,
                tick_hz,
                clock_within,
                clock_apart,
                clock_cpu: _,
                cpu_model,
                variants,
            } => Event::Start(Start {
                kernel: kernel.into(),
                mode: mode.into(),
                apic: apic.into(),
                cpus,
                cpus_expected,
                seed,
                quick,
                tick_hz,
                clock_within,
                clock_apart,
                cpu_model: cpu_model.into(),
                variants: variants.into(),
            }),
            Record::BenchBegin { name } => {
                *self = Self::default();
                Event::BenchBegin(name.into())
            }
            Record::Samples { name: _, runs } => {
                let pairs: Vec<u64> = runs.iter().collect();
                for pair in pairs.chunks_exact(2) {
                    // No guest takes more samples than this; a damaged count must not eat the memory.
                    let count = pair[1].min(1 << 24) as usize;
                    self.samples.extend(std::iter::repeat_n(pair[0], count));
                }
                Event::Part
            }
            Record::PathBegin {} | Record::Order { .. } => Event::Part,
            Record::PathEnd { empty, ticks } => {
                Event::Path { empty, ticks: ticks.iter().collect() }
            }
            Record::Counters { name: _, values } => {
                self.counters = Some(Counters::from_values(values.iter()));
                Event::Part
            }
            record @ Record::BenchEnd { .. } => Event::Bench(self.end(record)?),
            Record::BenchSkip { name, reason } => {
                Event::BenchSkip { name: name.into(), reason: reason.into() }
            }
            Record::BenchInfo { name, doc, goal, lies, shape, cpus } => Event::BenchInfo {
                name: name.into(),
                doc: doc.into(),
                goal: goal.into(),
                lies: lies.into(),
                shape: shape.into(),
                cpus,
            },
            Record::StressBegin { name, seed } => Event::StressBegin { name: name.into(), seed },
            Record::StressEnd { name, seed, ok, trace, counts, message } => {
                Event::Stress(StressResult {
                    name: name.into(),
                    seed,
                    ok,
                    trace,
                    counts: owned(counts),
                    message: message.into(),
                })
            }
            Record::StressInfo { name, doc } => {
                Event::StressInfo { name: name.into(), doc: doc.into() }
            }
            Record::TestBegin { name } => Event::TestBegin(name.into()),
            Record::TestEnd { name, ok, message } => {
                Event::Test { name: name.into(), ok, message: message.into() }
            }
            Record::Log { source, text } => Event::Log { source: source.into(), text: text.into() },
            Record::Thread { name, cpu, state } => {
                Event::Thread { name: name.into(), cpu, state: state.into() }
            }
            Record::Timeline { cpu, lost, counts } => {
                Event::Timeline { cpu, lost, counts: owned(counts) }
            }
            Record::PlayedGroup { name, group, counts } => {
                Event::PlayedGroup { name: name.into(), group: group.into(), counts: owned(counts) }
            }
            Record::Played { name, cpus, ok, counts, message } => Event::Played {
                name: name.into(),
                cpus,
                ok,
                counts: owned(counts),
                message: message.into(),
            },
            Record::Happened { records } => {
                let records = records.as_chunks().0.iter().map(probe::Record::from_bytes);
                Event::Happened(records.collect())
            }
            Record::RunEnd { ok, lost } => Event::End { ok, lost },
        })
    }

    fn end(&mut self, record: Record<'_>) -> Result<BenchResult, RecordError> {
        let Self { samples, counters } = std::mem::take(self);
        let Record::BenchEnd {
            name,
            goal: _,
            ok,
            unit,
            n,
            warmup,
            batch,
            ops,
            overhead,
            overhead_max,
            summary,
            message,
        } = record
        else {
            unreachable!("only called with the end of a benchmark");
        };
        // Who was refused has neither.
        if samples.len() as u64 != n || counters.is_none() && (ok || n != 0) {
            let (bench, received) = (name.into(), samples.len() as u64);
            return Err(RecordError::Lost { bench, taken: n, received });
        }
        let ours = Summary::of(&mut samples.clone()).unwrap_or_default();
        if !summary.iter().eq(ours.values()) {
            return Err(RecordError::Summary(name.into()));
        }
        Ok(BenchResult {
            name: name.into(),
            ok,
            message: message.into(),
            unit: unit.into(),
            warmup,
            batch,
            ops: ops.max(1),
            overhead,
            overhead_max,
            summary: ours,
            samples,
            counters: counters.unwrap_or(Counters::ZERO),
        })
    }
}

impl BenchResult {
    /// Something that was measured once, by somebody else than a guest.
    pub fn once(name: &str, unit: &str, value: u64) -> Self {
        Self {
            name: name.into(),
            ok: true,
            message: String::new(),
            unit: unit.into(),
            warmup: 0,
            batch: 1,
            ops: 1,
            overhead: 0,
            overhead_max: 0,
            summary: Summary::of(&mut [value]).expect("a sample"),
            samples: vec![value],
            counters: Counters::ZERO,
        }
    }

    /// `value` per operation.
    pub fn per_op(&self, value: u64) -> f64 {
        value as f64 / self.ops as f64
    }

    /// The counters of the window, by name.
    pub fn named_counters(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Counter::ALL.iter().map(|&counter| (counter.name(), self.counters.get(counter)))
    }
}

#[cfg(test)]
mod tests;
