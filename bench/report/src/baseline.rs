//! Figures that were accepted, one file per key; a worse one is a difference of at least one instruction, a worse
//! median one of more than chance explains.

use crate::{BenchResult, Goals, RunKey, Stat};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

/// The folder of the baselines (`bench/baselines`).
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
}

/// The accepted figures under one key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Version of this format.
    pub schema: u64,
    /// Why the figures were accepted, newest first.
    pub reasons: Vec<String>,
    /// The run that was blessed last.
    pub run: RunKey,
    /// By name of the benchmark.
    pub figures: BTreeMap<String, Figure>,
}

/// An accepted figure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figure {
    /// What was counted.
    pub unit: String,
    /// Which statistic.
    pub stat: String,
    /// Its value, for all operations together.
    pub value: u64,
    /// Operations per sample.
    pub ops: u64,
    /// Samples: counters are compared only between equal numbers of them.
    pub n: u64,
    /// Counters of the window that were not zero.
    pub counters: BTreeMap<String, u64>,
}

/// Why a baseline could not be read or written.
#[derive(Debug)]
pub enum StoreError {
    /// The file.
    Io(PathBuf, io::Error),
    /// Its content: nothing in it is believed.
    Format(PathBuf, String),
    /// `--bless` without a reason.
    NoReason,
    /// Figures that are not for comparison.
    Fleeting(Fleeting),
    /// A benchmark failed: its figure is worth nothing.
    Failed(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Io(path, error) => write!(f, "{}: {error}", path.display()),
            StoreError::Format(path, error) => {
                let path = path.display();
                write!(
                    f,
                    "{path}: {error}; `git checkout {path}` brings it back, or a run of all \
                     benchmarks with --bless 'why' makes it anew"
                )
            }
            StoreError::NoReason => {
                f.write_str("a baseline is renewed with a reason: --bless 'why'")
            }
            StoreError::Fleeting(fleeting) => fleeting.fmt(f),
            StoreError::Failed(bench) => write!(f, "{bench} failed; nothing was blessed"),
        }
    }
}

impl std::error::Error for StoreError {}

/// Why a run's figures are neither compared nor accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fleeting {
    /// Only instructions repeat exactly.
    Mode(String),
    /// Few samples.
    Quick,
}

impl fmt::Display for Fleeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fleeting::Mode(mode) => {
                write!(f, "baselines are kept in mode insns; figures in mode {mode} do not repeat")
            }
            Fleeting::Quick => {
                f.write_str("baselines are kept of full runs; a quick one is a test")
            }
        }
    }
}

impl Fleeting {
    /// What is wrong with a run in `mode`, if anything is.
    pub fn of(mode: &str, quick: bool) -> Option<Fleeting> {
        match mode {
            "insns" if quick => Some(Fleeting::Quick),
            "insns" => None,
            _ => Some(Fleeting::Mode(mode.into())),
        }
    }
}

/// Whether a run was of all benchmarks, or of those that somebody chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// What is not among the results is no more.
    All,
    /// What is not among the results was not asked for.
    Chosen,
}

impl Store {
    /// The baselines in `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Store {
        Store { dir: dir.into() }
    }

    /// The file for `key`.
    pub fn path(&self, key: &RunKey) -> PathBuf {
        self.dir.join(key.file_name())
    }

    /// The baseline for `key`, if there is one.
    ///
    /// # Errors
    /// A file that is there but cannot be read, or says what cannot be.
    pub fn load(&self, key: &RunKey) -> Result<Option<Baseline>, StoreError> {
        let path = self.path(key);
        match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::Io(path, error)),
            Ok(bytes) => {
                Baseline::read(&bytes, key).map(Some).map_err(|why| StoreError::Format(path, why))
            }
        }
    }

    /// Accepts `results` under `key`; figures of benchmarks that were not chosen stay. A damaged file gives way to all
    /// results, but not to some. Returns the file.
    ///
    /// # Errors
    /// An empty reason, figures that do not repeat, a failed benchmark, or the file.
    pub fn bless(
        &self,
        key: &RunKey,
        results: &[BenchResult],
        scope: Scope,
        goals: &Goals,
        reason: &str,
    ) -> Result<PathBuf, StoreError> {
        if reason.trim().is_empty() {
            return Err(StoreError::NoReason);
        }
        if let Some(fleeting) = Fleeting::of(&key.mode, key.is_quick()) {
            return Err(StoreError::Fleeting(fleeting));
        }
        if let Some(failed) = results.iter().find(|result| !result.ok) {
            return Err(StoreError::Failed(failed.name.clone()));
        }
        let old = match self.load(key) {
            Err(StoreError::Format(..)) if scope == Scope::All => None,
            old => old?,
        };
        let (mut reasons, mut figures) =
            old.map(|old| (old.reasons, old.figures)).unwrap_or_default();
        reasons.insert(0, format!("{}: {}", key.revision(), reason.trim()));
        if scope == Scope::All {
            figures.clear();
        }
        figures.extend(
            results
                .iter()
                .map(|result| (result.name.clone(), Figure::of(result, goals.stat(result)))),
        );
        let baseline = Baseline { schema: crate::json::SCHEMA, reasons, run: key.clone(), figures };
        let path = self.path(key);
        let text = serde_json::to_string_pretty(&baseline).expect("strings and numbers") + "\n";
        let write = || {
            fs::create_dir_all(&self.dir)?;
            replace(&path, &text)
        };
        write().map_err(|error| StoreError::Io(path.clone(), error))?;
        Ok(path)
    }
}

impl Baseline {
    /// Reads a file under the name of `key`.
    fn read(bytes: &[u8], key: &RunKey) -> Result<Baseline, String> {
        /// Another version is told even where nothing else is understood.
        #[derive(Deserialize)]
        struct Version {
            schema: u64,
        }
        let unreadable = |error: serde_json::Error| format!("not a baseline: {error}");
        let Version { schema } = serde_json::from_slice(bytes).map_err(unreadable)?;
        if schema != crate::json::SCHEMA {
            return Err(format!("schema {schema}, where {} is read", crate::json::SCHEMA));
        }
        let baseline: Baseline = serde_json::from_slice(bytes).map_err(unreadable)?;
        let (its, name) = (baseline.run.baseline_name(), key.baseline_name());
        if its != name {
            return Err(format!("figures of {its}, where those of {name} belong"));
        }
        for (bench, figure) in &baseline.figures {
            figure.check().map_err(|why| format!("{bench}: {why}"))?;
        }
        Ok(baseline)
    }
}

/// Writes beside and renames, so that a full disk leaves the old file.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, text).and_then(|()| fs::rename(&new, path)).inspect_err(|_| {
        // Nothing more can be done about a leftover than to try.
        let _ = fs::remove_file(&new);
    })
}

impl Figure {
    fn of(result: &BenchResult, stat: Stat) -> Figure {
        Figure {
            unit: result.unit.clone(),
            stat: stat.name().into(),
            value: stat.of(&result.summary),
            ops: result.ops,
            n: result.samples.len() as u64,
            counters: result.counters.nonzero().map(|(name, value)| (name.into(), value)).collect(),
        }
    }

    /// What no run can have written.
    fn check(&self) -> Result<(), String> {
        if Stat::named(&self.stat).is_none() {
            return Err(format!("no statistic is called {:?}", self.stat));
        }
        if self.ops == 0 {
            return Err("a figure of 0 operations".into());
        }
        Ok(())
    }
}

/// How a figure stands to the accepted one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Equal, or a median that differs by chance.
    Same,
    /// Smaller.
    Better,
    /// Larger.
    Worse,
    /// Not in the baseline, or there in another unit.
    New,
}

/// One benchmark against the baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Name of the benchmark.
    pub bench: String,
    /// How it stands.
    pub verdict: Verdict,
    /// The accepted figure; `None` if new.
    pub old: Option<Figure>,
    /// The figure now.
    pub new: Figure,
}

/// A run against its baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// In the order of the results.
    pub rows: Vec<Row>,
    /// Benchmarks of the baseline that are no more.
    pub gone: Vec<String>,
}

impl Comparison {
    /// Compares `results` with `baseline`, with no tolerance but for medians (`is_by_chance`).
    pub fn of(
        baseline: &Baseline,
        results: &[BenchResult],
        scope: Scope,
        goals: &Goals,
    ) -> Comparison {
        let row = |result: &BenchResult| {
            let new = Figure::of(result, goals.stat(result));
            let old = baseline.figures.get(&result.name);
            let old = old.filter(|old| old.unit == new.unit && old.stat == new.stat).cloned();
            let verdict = match &old {
                None => Verdict::New,
                Some(old) if is_by_chance(old, &new, &result.samples) => Verdict::Same,
                Some(old) => verdict(old, &new),
            };
            Row { bench: result.name.clone(), verdict, old, new }
        };
        let is_gone = |name: &&String| results.iter().all(|result| result.name != **name);
        let gone = match scope {
            Scope::All => baseline.figures.keys().filter(is_gone).cloned().collect(),
            Scope::Chosen => Vec::new(),
        };
        Comparison { rows: results.iter().map(row).collect(), gone }
    }

    /// How many stand so.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.rows.iter().filter(|row| row.verdict == verdict).count()
    }

    /// Whether the run is worse than the baseline; a benchmark that is no more has nothing to show.
    pub fn is_worse(&self) -> bool {
        self.count(Verdict::Worse) != 0 || !self.gone.is_empty()
    }
}

fn verdict(old: &Figure, new: &Figure) -> Verdict {
    // value/ops against value/ops, without rounding.
    let (before, now) = (old.value as u128 * new.ops as u128, new.value as u128 * old.ops as u128);
    match now.cmp(&before) {
        std::cmp::Ordering::Less => Verdict::Better,
        std::cmp::Ordering::Equal => Verdict::Same,
        std::cmp::Ordering::Greater => Verdict::Worse,
    }
}

/// Whether another interleaving explains the difference. A median stands for samples that differ as CPUs happen to meet. How they
/// meet depends on how long the boot took, and so on what else is in the kernel: a change that no sample has to do with draws them anew.
/// The rank of a median of `n` draws has a deviation of √n/2, the difference of two of √(n/2); three times that is chance in 997
/// of 1,000 cases. With no spread there is no chance either.
fn is_by_chance(old: &Figure, new: &Figure, samples: &[u64]) -> bool {
    let (n, middle) = (samples.len(), samples.len().div_ceil(2).saturating_sub(1));
    let alike = old.stat == Stat::Median.name() && (old.ops, old.n) == (new.ops, new.n);
    if !alike || n == 0 {
        return false;
    }
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let ranks = (9 * n / 2).isqrt();
    let (low, high) = (middle.saturating_sub(ranks), (middle + ranks).min(n - 1));
    (sorted[low]..=sorted[high]).contains(&old.value)
}

#[cfg(test)]
mod tests;
