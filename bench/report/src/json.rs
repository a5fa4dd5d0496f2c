//! Results as JSON, one flat object a line. The keys are listed in `bench/README.md`; a test keeps them equal.

use crate::{BenchResult, Goals, Match, RunKey, StressResult};
use serde_json::{Map, Number, Value};

/// Changes whenever a key changes its meaning or goes.
pub const SCHEMA: u64 = 2;

/// Whether a line carries all samples.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Raw {
    /// As `raw`: `58*999 60*1`, overhead subtracted, not divided by `ops`.
    Included,
    /// Statistics only.
    Omitted,
}

/// The line of a measured benchmark.
pub fn bench(result: &BenchResult, goals: &Goals, key: &RunKey, raw: Raw) -> String {
    let mut line = Line::new("bench");
    let (suite, _) = result.name.split_once('/').unwrap_or((&result.name, ""));
    line.text("suite", suite).text("bench", &result.name);
    let goal = goals.of(&result.name);
    if let Some(goal) = goal {
        line.text("goal", &goal.id);
    }
    line.flag("ok", result.ok).text("message", &result.message).text("unit", &result.unit);
    line.whole("n", result.samples.len() as u64).whole("warmup", result.warmup);
    line.whole("batch", result.batch).whole("ops", result.ops);
    line.whole("overhead", result.overhead).whole("overhead_max", result.overhead_max);
    for (name, value) in
        ["min", "q1", "median", "q3", "p99", "p999", "max"].into_iter().zip(result.summary.values())
    {
        line.per_op(name, value, result.ops);
    }
    let (mean, stddev) = moments(result);
    line.real("mean", mean).real("stddev", stddev);
    if let Some(goal) = goal {
        let figure = goal.stat.of(&result.summary);
        line.text("goal_stat", goal.stat.name()).per_op("goal_figure", figure, result.ops);
        line.whole("goal_must", goal.must);
        if let Some(stretch) = goal.stretch {
            line.whole("goal_stretch", stretch);
        }
        if let Some(limit) = goal.limit {
            line.whole("goal_limit", limit);
        }
        if let Some(met) = goal.met(result) {
            line.flag("goal_met", met);
        }
        if let Some(opponent) = goal.opponents.first() {
            line.text("opponent", &opponent.name).real("opponent_figure", opponent.figure);
            line.text("opponent_version", &opponent.version)
                .text("opponent_source", &opponent.source);
            line.text(
                "opponent_match",
                if opponent.matches == Match::Same { "same" } else { "nearest" },
            );
        }
    }
    for (name, value) in result.named_counters() {
        line.whole(&format!("counter_{name}"), value);
    }
    if raw == Raw::Included {
        let runs = result.samples.chunk_by(|a, b| a == b);
        let runs: Vec<String> = runs.map(|run| format!("{}*{}", run[0], run.len())).collect();
        line.text("raw", &runs.join(" "));
    }
    line.key(key).done()
}

/// The line of a benchmark that could not run.
pub fn skip(name: &str, reason: &str, key: &RunKey) -> String {
    let mut line = Line::new("skip");
    line.text("bench", name).text("message", reason).key(key).done()
}

/// The line of a stress test.
pub fn stress(result: &StressResult, key: &RunKey) -> String {
    let mut line = Line::new("stress");
    line.text("stress", &result.name).flag("ok", result.ok).text("message", &result.message);
    // As text: a hash has 64 bits, and a JSON number is read as a float by many.
    line.text("trace", &format!("{:016x}", result.trace));
    line.counts(&result.counts);
    // The seed of the test, which may differ from the run's when several run.
    line.key(key).whole("seed", result.seed).done()
}

/// The line of a boot of many, one for each number of CPUs: whether it came to its end, else why not.
pub fn boot(ok: bool, message: &str, key: &RunKey) -> String {
    let mut line = Line::new("boot");
    line.flag("ok", ok).text("message", message).key(key).done()
}

/// The line of a group of a workload that was played.
pub fn played_group(name: &str, group: &str, counts: &[(String, u64)], key: &RunKey) -> String {
    let mut line = Line::new("played_group");
    line.text("workload", name).text("group", group).counts(counts).key(key).done()
}

/// The line of a workload that was played.
pub fn played(
    name: &str,
    (ok, message): (bool, &str),
    counts: &[(String, u64)],
    key: &RunKey,
) -> String {
    let mut line = Line::new("played");
    line.text("workload", name).flag("ok", ok).text("message", message);
    line.counts(counts).key(key).done()
}

/// The line of a test in the guest.
pub fn test(name: &str, ok: bool, message: &str, key: &RunKey) -> String {
    let mut line = Line::new("test");
    line.text("test", name).flag("ok", ok).text("message", message).key(key).done()
}

/// Mean and standard deviation per operation.
fn moments(result: &BenchResult) -> (f64, f64) {
    let n = result.samples.len().max(1) as f64;
    let values = || result.samples.iter().map(|&sample| result.per_op(sample));
    let mean = values().sum::<f64>() / n;
    let variance = values().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
    (mean, variance.sqrt())
}

/// A flat object; keys in the order of insertion.
pub(crate) struct Line(Vec<(String, Value)>);

impl Line {
    pub(crate) fn new(kind: &str) -> Self {
        let mut line = Line(Vec::new());
        line.whole("schema", SCHEMA).text("kind", kind);
        line
    }

    fn put(&mut self, name: &str, value: Value) -> &mut Self {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.into(), value)),
        }
        self
    }

    pub(crate) fn text(&mut self, name: &str, text: &str) -> &mut Self {
        self.put(name, text.into())
    }

    fn counts(&mut self, counts: &[(String, u64)]) -> &mut Self {
        for (name, value) in counts {
            self.whole(&format!("count_{name}"), *value);
        }
        self
    }

    pub(crate) fn whole(&mut self, name: &str, value: u64) -> &mut Self {
        self.put(name, value.into())
    }

    pub(crate) fn flag(&mut self, name: &str, value: bool) -> &mut Self {
        self.put(name, value.into())
    }

    pub(crate) fn real(&mut self, name: &str, value: f64) -> &mut Self {
        self.put(name, Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    /// A statistic per operation: whole where it is.
    fn per_op(&mut self, name: &str, value: u64, ops: u64) -> &mut Self {
        if value.is_multiple_of(ops) {
            self.whole(name, value / ops)
        } else {
            self.real(name, value as f64 / ops as f64)
        }
    }

    pub(crate) fn key(&mut self, key: &RunKey) -> &mut Self {
        let Ok(Value::Object(fields)) = serde_json::to_value(key) else {
            unreachable!("a key is a flat object");
        };
        for (name, value) in fields {
            self.put(&name, value);
        }
        self
    }

    pub(crate) fn done(&mut self) -> String {
        let fields = self.0.iter().map(|(name, value)| {
            let name = Value::from(name.as_str());
            format!("{name}:{value}")
        });
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    }
}

/// Whether `line` is a flat object: no value is an object or a list.
pub fn is_flat(line: &str) -> bool {
    let parsed: Result<Map<String, Value>, _> = serde_json::from_str(line);
    parsed.is_ok_and(|fields| !fields.values().any(|value| value.is_object() || value.is_array()))
}

#[cfg(test)]
pub(crate) mod tests;
