//! `bench/goals.toml`: what each benchmark should cost, and what others need.

use crate::BenchResult;
use bench_api::stats::Summary;
use serde::Deserialize;
use std::ops::Range;
use toml::Spanned;

/// Which statistic stands for a benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Stat {
    /// The smallest sample.
    #[default]
    Min,
    /// The median.
    Median,
    /// What 999 of 1,000 samples are not larger than.
    P999,
    /// The largest sample: for the worst of many seeds.
    Max,
}

impl Stat {
    /// Its value in `summary`.
    pub fn of(self, summary: &Summary) -> u64 {
        match self {
            Stat::Min => summary.min,
            Stat::Median => summary.median,
            Stat::P999 => summary.p999,
            Stat::Max => summary.max,
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Stat> {
        [Stat::Min, Stat::Median, Stat::P999, Stat::Max]
            .into_iter()
            .find(|stat| stat.name() == name)
    }

    /// Its name in records.
    pub fn name(self) -> &'static str {
        match self {
            Stat::Min => "min",
            Stat::Median => "median",
            Stat::P999 => "p999",
            Stat::Max => "max",
        }
    }
}

/// Whether an opponent's figure is for the same operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Match {
    /// The same operation.
    Same,
    /// Not the same, the nearest there is.
    Nearest,
}

/// Somebody else's figure.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opponent {
    /// Who; the first of a goal in at most 16 characters.
    pub name: String,
    /// How much, in the goal's unit.
    pub figure: f64,
    /// Which version.
    pub version: String,
    /// Where the figure is from.
    pub source: String,
    /// Whether it is the same operation.
    #[serde(rename = "match")]
    pub matches: Match,
}

/// A goal.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goal {
    /// `G3`.
    pub id: String,
    /// The benchmark that answers it.
    pub bench: String,
    /// The operation, in words.
    pub what: String,
    /// What is counted.
    pub unit: String,
    /// Which statistic is judged.
    #[serde(default)]
    pub stat: Stat,
    /// A figure above it is a miss.
    pub must: u64,
    /// What would please.
    pub stretch: Option<u64>,
    /// What the machine allows.
    pub limit: Option<u64>,
    /// Others, the best first.
    #[serde(default, rename = "opponent")]
    pub opponents: Vec<Opponent>,
}

impl Goal {
    /// Whether `result` meets the goal; `None` if it was measured in another unit.
    pub fn met(&self, result: &BenchResult) -> Option<bool> {
        let most = self.must.saturating_mul(result.ops);
        (result.unit == self.unit).then(|| self.stat.of(&result.summary) <= most)
    }
}

/// A goal of the hosted comparison.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RatioGoal {
    /// `G11`.
    pub id: String,
    /// What is compared.
    pub pair: String,
    /// With whom.
    pub peer: String,
    /// A ratio above it is a miss.
    pub must: f64,
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    goal: Vec<Spanned<Goal>>,
    #[serde(default)]
    ratio: Vec<Spanned<RatioGoal>>,
}

/// All goals.
#[derive(Clone, Debug, PartialEq)]
pub struct Goals {
    goals: Vec<Goal>,
    ratios: Vec<RatioGoal>,
}

impl Goals {
    /// Reads `goals.toml`.
    ///
    /// # Errors
    /// One line: where, and what is wrong or which goal, benchmark or comparison is there twice.
    pub fn parse(text: &str) -> Result<Goals, String> {
        let wrong = |span: Range<usize>, what: String| {
            // A span may end in the middle of nothing: no slice of the text.
            let line = text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1;
            format!("bench/goals.toml:{line}: {what}")
        };
        let file: File = toml::from_str(text).map_err(|error| {
            let what = error.message().lines().collect::<Vec<_>>().join(", ");
            wrong(error.span().unwrap_or_default(), what)
        })?;
        for (i, here) in file.goal.iter().enumerate() {
            let goal = here.get_ref();
            let twin = |other: &&Goal| other.id == goal.id || other.bench == goal.bench;
            if let Some(other) = file.goal[..i].iter().map(Spanned::get_ref).find(twin) {
                let (old, new) = ((&other.id, &other.bench), (&goal.id, &goal.bench));
                let what = format!("{} ({}) and {} ({}) collide", old.0, old.1, new.0, new.1);
                return Err(wrong(here.span(), what));
            }
            if goal.opponents.iter().any(|opponent| !is_figure(opponent.figure)) {
                let what = format!("{}: an opponent's figure is a number above 0", goal.id);
                return Err(wrong(here.span(), what));
            }
        }
        for (i, here) in file.ratio.iter().enumerate() {
            let RatioGoal { id, pair, peer, must } = here.get_ref();
            let twin = |other: &RatioGoal| other.pair == *pair && other.peer == *peer;
            if file.ratio[..i].iter().map(Spanned::get_ref).any(twin) {
                return Err(wrong(here.span(), format!("{id}: {pair} against {peer} is twice")));
            }
            if !is_figure(*must) {
                return Err(wrong(here.span(), format!("{id}: must is a number above 0")));
            }
        }
        Ok(Goals {
            goals: file.goal.into_iter().map(Spanned::into_inner).collect(),
            ratios: file.ratio.into_iter().map(Spanned::into_inner).collect(),
        })
    }

    /// The goals of this source tree, or what is wrong with their file. A program looks once, before anything else.
    ///
    /// # Errors
    /// As of [`Goals::parse`].
    pub fn of_tree() -> Result<Goals, String> {
        // Has cargo look again for a checkout elsewhere: it remembers the file by its whole path.
        const _: Option<&str> = option_env!("DAMSELFLY_ROOT");
        Goals::parse(include_str!("../../goals.toml"))
    }

    /// The same, once the program has looked.
    pub fn builtin() -> Goals {
        Goals::of_tree().unwrap_or_else(|wrong| panic!("{wrong}"))
    }

    /// The goal that `bench` answers.
    pub fn of(&self, bench: &str) -> Option<&Goal> {
        self.goals.iter().find(|goal| goal.bench == bench)
    }

    /// The goal of the hosted comparison of `pair` with `peer`.
    pub fn ratio(&self, pair: &str, peer: &str) -> Option<&RatioGoal> {
        self.ratios.iter().find(|goal| goal.pair == pair && goal.peer == peer)
    }

    /// All goals, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Goal> {
        self.goals.iter()
    }

    /// All goals of the hosted comparison.
    pub fn ratios(&self) -> impl Iterator<Item = &RatioGoal> {
        self.ratios.iter()
    }

    /// The statistic that stands for a benchmark: its goal's; else the smallest sample of cycles or instructions, and of
    /// anything else the one in the middle.
    pub fn stat(&self, result: &BenchResult) -> Stat {
        match self.of(&result.name) {
            Some(goal) => goal.stat,
            None if ["insns", "cycles"].contains(&result.unit.as_str()) => Stat::Min,
            None => Stat::Median,
        }
    }

    /// How many of `results` meet and miss their goals.
    pub fn count(&self, results: &[BenchResult]) -> (usize, usize) {
        let verdicts = results.iter().filter_map(|result| self.of(&result.name)?.met(result));
        verdicts.fold(
            (0, 0),
            |(met, missed), ok| if ok { (met + 1, missed) } else { (met, missed + 1) },
        )
    }
}

/// Whether something can be compared with it: TOML knows `nan` and `inf`.
fn is_figure(number: f64) -> bool {
    number.is_finite() && number > 0.0
}

#[cfg(test)]
mod tests;
