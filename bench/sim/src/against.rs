//! The simulator against a kernel that has played the same workload: every counter of both, and how far apart they may be.
//!
//! Law: what does not depend on who comes first is the same, exactly. Every other counter is within [`PER_CENT`] of the larger of both;
//! or of all that it is a part of, where the policy leaves next to nothing of it; or within twice the root of their number, if they are
//! so few that this is more: so much do as many events differ that come in another order. What is not held to anything stands there
//! too, with the reason.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use ::workload::Pull;

use crate::{Group, Report, Workload};

/// How far apart two counters may be, of the larger.
const PER_CENT: u64 = 2;

/// By name.
type Counts = BTreeMap<String, u64>;

/// What a kernel says of a workload that it has played.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// The workload.
    pub workload: String,
    /// On so many CPUs.
    pub cpus: u64,
    /// With this seed.
    pub seed: u64,
    /// What was counted of all.
    pub counts: Counts,
    /// What was counted of each group.
    pub groups: BTreeMap<String, Counts>,
}

impl Played {
    /// Reads the records of a run.
    ///
    /// # Errors
    /// There is no such file, or nothing was played to its end: a line that says so.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        Self::parse(&text).map_err(|why| format!("{}: {why}", path.display()))
    }

    /// Reads the lines of these records.
    ///
    /// # Errors
    /// As of [`read`](Self::read).
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut played, mut ended) = (Self::default(), false);
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).map_err(|e| format!("no record: {e}"))?;
            let word = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
            match line["kind"].as_str() {
                Some("played_group") => {
                    played.groups.insert(word("group"), counts(&line));
                }
                Some("played") if line["ok"] == true => {
                    ended = true;
                    played.workload = word("workload");
                    played.counts = counts(&line);
                    played.cpus = line["cpus"].as_u64().unwrap_or(0);
                    played.seed = line["seed"].as_u64().unwrap_or(0);
                }
                Some("played") => return Err(word("message")),
                _ => {}
            }
        }
        if ended { Ok(played) } else { Err("no workload was played to its end".to_owned()) }
    }
}

fn counts(line: &Value) -> Counts {
    let count = |(key, value): (&String, &Value)| {
        Some((key.strip_prefix("count_")?.to_owned(), value.as_u64()?))
    };
    line.as_object().into_iter().flatten().filter_map(count).collect()
}

/// How far apart two figures may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Not at all.
    Exact,
    /// By so many in a hundred; by more, if they are few.
    Near,
    /// By so many in a hundred of the counter of that name, which holds this one.
    Part(&'static str),
    /// Nobody holds them to anything, because.
    Listed(&'static str),
}

/// A counter of both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Of a group, or of all.
    pub group: String,
    /// What is counted.
    pub name: &'static str,
    /// In what, where it is no number of events.
    pub unit: &'static str,
    /// By the simulator.
    pub sim: u64,
    /// By the kernel, if it counts that.
    pub kernel: Option<u64>,
    /// How far apart they may be.
    pub class: Class,
    /// What the hundred is of: the larger of both, or what they are a part of.
    pub whole: u64,
}

impl Row {
    /// How far apart they are.
    pub fn held(&self) -> Held {
        let Some(kernel) = self.kernel else {
            let is_listed = matches!(self.class, Class::Listed(_));
            return if is_listed { Held::Free } else { Held::Apart };
        };
        let apart = self.sim.abs_diff(kernel);
        let near = apart * 100 <= self.whole * PER_CENT;
        match self.class {
            Class::Listed(_) => Held::Free,
            Class::Exact if apart == 0 => Held::Near,
            Class::Near | Class::Part(_) if near => Held::Near,
            Class::Near if apart.pow(2) <= 4 * self.whole => Held::Few,
            Class::Exact | Class::Near | Class::Part(_) => Held::Apart,
        }
    }
}

/// How far apart two figures are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// As near as they have to be.
    Near,
    /// No further than few events are by chance.
    Few,
    /// Nobody holds them to anything.
    Free,
    /// Too far.
    Apart,
}

const PATHS: Class = Class::Listed(
    "wake to run: the simulator puts its paths together of the costs of whole benchmarks, and the kernel's hold the \
     player's looks at the clock",
);
const UNCOUNTED: Class = Class::Listed("the kernel does not count it");

type OfGroup = (&'static str, &'static str, Class, fn(&Group) -> u64);
const OF_A_GROUP: [OfGroup; 12] = [
    ("threads", "", Class::Exact, |group| group.threads as u64),
    ("came", "", Class::Exact, |group| group.came),
    ("done", "", Class::Exact, |group| group.done),
    ("in_flight", "", Class::Exact, |group| group.in_flight),
    ("service", "ns", Class::Exact, |group| group.service),
    ("cpu_time", "ns", Class::Near, |group| group.cpu_time),
    ("jain_ppm", "", Class::Near, |group| (group.jain * 1e6) as u64),
    ("wakes", "", Class::Near, |group| group.wakes.count),
    ("wake_to_run_p50", "ns", PATHS, |group| group.wakes.p50),
    ("wake_to_run_p99", "ns", PATHS, |group| group.wakes.p99),
    ("wake_to_run_p999", "ns", PATHS, |group| group.wakes.p999),
    ("wake_to_run_max", "ns", PATHS, |group| group.wakes.max),
];

type OfAll = (&'static str, &'static str, Class, fn(&Report) -> u64);
const OF_ALL: [OfAll; 12] = [
    ("migrations", "", Class::Exact, |report| report.migrations),
    ("ring_messages", "", Class::Exact, |report| report.messages),
    ("duration", "ns", Class::Near, |report| report.duration),
    ("switches", "", Class::Near, |report| report.switches),
    ("waits", "", Class::Near, |report| report.waits),
    ("rests", "", Class::Near, |report| report.rests),
    ("ticks", "", Class::Near, |report| report.ticks),
    ("ipi_sent", "", Class::Near, |report| report.ipis_sent),
    ("ipi_avoided", "", Class::Part("ring_messages"), |report| report.ipis_avoided),
    ("ring_full", "", Class::Part("ring_messages"), |report| report.ring_full),
    ("in_kernel", "ns", UNCOUNTED, |report| report.in_kernel),
    ("idle_while_waiting", "ns", UNCOUNTED, |report| report.idle_while_waiting),
];

/// What depends on who comes first, where threads are pulled: who waits when somebody asks.
const WHERE_PULLED: [&str; 2] = ["migrations", "ring_messages"];

/// Every counter, groups first.
pub fn rows(workload: &Workload, report: &Report, played: &Played) -> Vec<Row> {
    let pulled = workload.groups.iter().any(|group| group.pull == Pull::Any);
    let nothing = Counts::new();
    let mut rows = Vec::new();
    for group in &report.groups {
        let counts = played.groups.get(&group.name).unwrap_or(&nothing);
        let sims = OF_A_GROUP.map(|(name, unit, class, sim)| (name, unit, class, sim(group)));
        rows.extend(pairs(&group.name, &sims, counts));
    }
    let sims = OF_ALL.map(|(name, unit, class, sim)| {
        let near = pulled && WHERE_PULLED.contains(&name);
        (name, unit, if near { Class::Near } else { class }, sim(report))
    });
    rows.extend(pairs("", &sims, &played.counts));
    rows
}

/// A counter's name, unit and class, and what the simulator counted.
type Simulated = (&'static str, &'static str, Class, u64);

fn pairs(group: &str, sims: &[Simulated], counts: &Counts) -> Vec<Row> {
    let larger = |name: &str, sim: u64| counts.get(name).copied().unwrap_or(0).max(sim);
    let row = |&(name, unit, class, sim): &Simulated| {
        let whole = match class {
            Class::Part(of) => sims.iter().find(|(name, ..)| *name == of).copied(),
            _ => None,
        };
        let whole = whole.map_or(larger(name, sim), |(name, .., sim)| larger(name, sim));
        let (group, kernel) = (group.to_owned(), counts.get(name).copied());
        Row { group, name, unit, sim, kernel, class, whole }
    };
    sims.iter().map(row).collect()
}

/// The rows, and why some are held to nothing.
pub fn table(rows: &[Row]) -> String {
    let mut text = format!("{:<36} {:>14} {:>14}  apart\n", "", "simulator", "kernel");
    let mut why = Vec::new();
    for row in rows {
        let label = format!("{:<13} {}", row.group, row.name);
        let kernel = row.kernel.map_or("-".to_owned(), |kernel| kernel.to_string());
        let unit = row.unit;
        text += &format!("{label:<33} {unit:>2} {:>14} {kernel:>14}  {}\n", row.sim, verdict(row));
        if let Class::Listed(reason) = row.class
            && !why.contains(&reason)
        {
            why.push(reason);
        }
    }
    let count = |held| rows.iter().filter(|row| row.held() == held).count();
    for reason in why {
        text += &format!("listed: {reason}\n");
    }
    text + &format!(
        "{} counters: {} exact or within {PER_CENT} %, {} few and within twice their root, {} \
         listed, {} too far apart\n",
        rows.len(),
        count(Held::Near),
        count(Held::Few),
        count(Held::Free),
        count(Held::Apart),
    )
}

fn verdict(row: &Row) -> String {
    let apart = row.kernel.map(|kernel| {
        let share = row.sim.abs_diff(kernel) as f64 * 100.0 / row.whole.max(1) as f64;
        format!("{share:.2} %")
    });
    let class = match row.class {
        Class::Exact => "exact".to_owned(),
        Class::Near => String::new(),
        Class::Part(whole) => format!("of {whole}"),
        Class::Listed(_) => "listed".to_owned(),
    };
    let held = match row.held() {
        Held::Near | Held::Free => "",
        Held::Few => "few",
        Held::Apart => "TOO FAR",
    };
    let words = [apart.unwrap_or_default(), class, held.to_owned()];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join("  ")
}

#[cfg(test)]
mod tests;
