//! `bench/goals.toml`: what each benchmark should cost, and what others need.

use crate::BenchResult;
use bench_api::stats::Summary;
use serde::Deserialize;

/// Which statistic stands for a benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Stat {
    /// The smallest sample.
    #[default]
    Min,
    /// The median.
    Median,
    /// The largest sample: for the worst of many seeds.
    Max,
}

impl Stat {
    /// Its value in `summary`.
    pub fn of(self, summary: &Summary) -> u64 {
        match self {
            Stat::Min => summary.min,
            Stat::Median => summary.median,
            Stat::Max => summary.max,
        }
    }

    /// Its name in records.
    pub fn name(self) -> &'static str {
        match self {
            Stat::Min => "min",
            Stat::Median => "median",
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
        (result.unit == self.unit).then(|| self.stat.of(&result.summary) <= self.must * result.ops)
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

/// All goals.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goals {
    #[serde(rename = "goal")]
    goals: Vec<Goal>,
    #[serde(default, rename = "ratio")]
    ratios: Vec<RatioGoal>,
}

impl Goals {
    /// Reads `goals.toml`.
    ///
    /// # Errors
    /// What is wrong and where, or which goal or benchmark is there twice.
    pub fn parse(text: &str) -> Result<Goals, String> {
        let goals: Goals = toml::from_str(text).map_err(|error| error.to_string())?;
        for (i, goal) in goals.goals.iter().enumerate() {
            let twin = |other: &&Goal| other.id == goal.id || other.bench == goal.bench;
            if let Some(other) = goals.goals[..i].iter().find(twin) {
                return Err(format!(
                    "{} ({}) and {} ({}) collide",
                    other.id, other.bench, goal.id, goal.bench
                ));
            }
        }
        Ok(goals)
    }

    /// The goals of this source tree.
    pub fn builtin() -> Goals {
        // Has cargo look again for a checkout elsewhere: it remembers the file by its whole path.
        const _: Option<&str> = option_env!("DAMSELFLY_ROOT");
        Goals::parse(include_str!("../../goals.toml")).expect("bench/goals.toml is tested")
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

    /// The statistic that stands for a benchmark: its goal's; else the smallest sample of time or instructions, and of
    /// what is counted anew under each of many seeds the one in the middle.
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

#[cfg(test)]
mod tests;
