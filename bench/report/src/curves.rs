//! The same benchmarks on several numbers of CPUs: what each costs on how many, and how that grows.
//!
//! ```text
//! CPUs                     1     2     4     8
//! scale/pairs              -  1000  1004  1006
//!        flat to 8 (x 1.01)  S1 must 1020: ok   expected: flat: 1000
//! ```

use crate::table::Style;
use crate::{BenchResult, Goals};
use bench_api::stats::PerOp;

const NAME: usize = 20;
const FIGURE: usize = 6;
/// How far the last figure may be off the first, or a power of the number of CPUs off 1, and still be flat, or linear.
const NEAR: f64 = 0.05;

/// What became of one number of CPUs.
pub struct Point<'a> {
    /// How many.
    pub cpus: u64,
    /// Benchmarks that ended.
    pub results: &'a [BenchResult],
    /// Whether all were run that can be; else what is missing was lost.
    pub whole: bool,
}

/// A benchmark that was asked for.
pub struct Row<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it should look like.
    pub shape: &'a str,
}

/// The figures of each benchmark, a column for each number of CPUs, and below them what they come to.
pub fn table(rows: &[Row<'_>], points: &[Point<'_>], goals: &Goals, style: Style) -> String {
    let head = points.iter().map(|point| format!("{:>FIGURE$}", point.cpus)).collect::<String>();
    let mut text = format!("{:<NAME$}{head}\n", "CPUs");
    for row in rows {
        let found: Vec<Option<&BenchResult>> =
            points.iter().map(|point| find(point.results, row.name)).collect();
        text += &format!("{:<NAME$}", row.name);
        for (point, result) in points.iter().zip(&found) {
            text += &match result {
                Some(result) if result.ok => format!("{:>FIGURE$}", figure(result, goals)),
                Some(_) => style.bad(&format!("{:>FIGURE$}", "FAIL")),
                None if point.whole => format!("{:>FIGURE$}", "-"),
                None => style.bad(&format!("{:>FIGURE$}", "?")),
            };
        }
        text = text.trim_end().to_owned() + "\n";
        let curve: Vec<(u64, &BenchResult)> = points
            .iter()
            .zip(&found)
            .filter_map(|(point, result)| Some((point.cpus, (*result)?)))
            .filter(|(_, result)| result.ok)
            .collect();
        text += &below(row, &curve, goals, style);
    }
    text
}

fn find<'a>(results: &'a [BenchResult], name: &str) -> Option<&'a BenchResult> {
    results.iter().find(|result| result.name == name)
}

/// The unit, how it grows, whether its goal is met, and what was expected.
fn below(row: &Row<'_>, curve: &[(u64, &BenchResult)], goals: &Goals, style: Style) -> String {
    let Some((_, first)) = curve.first() else { return String::new() };
    let mut parts = vec![first.unit.clone()];
    parts.extend(growth(curve, goals));
    let mut text = format!("     {}", parts.join(", "));
    if let Some(goal) = goals.of(row.name) {
        let missed = curve.iter().filter(|(_, result)| goal.met(result) == Some(false));
        let missed: Vec<String> = missed.map(|(cpus, _)| cpus.to_string()).collect();
        let verdict = match missed.as_slice() {
            [] => style.good("ok"),
            some => style.bad(&format!("MISS at {}", some.join(" "))),
        };
        text += &format!("; {} must {}: {verdict}", goal.id, goal.must);
    }
    text += "\n";
    if !row.shape.is_empty() {
        text += &format!("     expected: {}\n", row.shape);
    }
    text
}

/// How the last figure stands to the first: as a factor, and as a power of the number of CPUs.
fn growth(curve: &[(u64, &BenchResult)], goals: &Goals) -> Option<String> {
    let ((from, first), (to, last)) = (curve.first()?, curve.last()?);
    let (before, after) = (value(first, goals), value(last, goals));
    if from == to || before <= 0.0 {
        return None;
    }
    let factor = after / before;
    let power = factor.ln() / (*to as f64 / *from as f64).ln();
    let shape = match power {
        _ if (factor - 1.0).abs() <= NEAR => "flat".to_owned(),
        _ if (power - 1.0).abs() <= NEAR => "linear".to_owned(),
        _ => format!("as CPUs^{power:.2}"),
    };
    Some(format!("{from} to {to} CPUs: x {factor:.2}, {shape}"))
}

fn value(result: &BenchResult, goals: &Goals) -> f64 {
    result.per_op(goals.stat(result).of(&result.summary))
}

/// A figure in five characters.
fn figure(result: &BenchResult, goals: &Goals) -> String {
    let value = goals.stat(result).of(&result.summary);
    let text = PerOp { value, ops: result.ops.max(1) }.to_string();
    if text.len() < FIGURE {
        return text;
    }
    let units = [(1e3, "k"), (1e6, "M"), (1e9, "G"), (1e12, "T")];
    let whole = result.per_op(value);
    let (size, unit) =
        units.into_iter().find(|(size, _)| whole < size * 9999.5).unwrap_or(units[3]);
    format!("{:.0}{unit}", whole / size)
}

#[cfg(test)]
mod tests;
