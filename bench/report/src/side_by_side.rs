//! The same benchmarks under several settings, side by side.
//!
//! ```text
//! compare A runq=bitmap
//!         B runq=list
//! benchmark            of            A                B
//! kernel/switch        min          36          43 (+7)
//! kernel/wake_turns    max          65                5
//! ```

use crate::table::{Rows, Style};
use crate::{BenchResult, Goals, Stat};
use bench_api::stats::PerOp;

const NAME: usize = 20;
const STAT: usize = 6;
const FIRST: usize = 9;
const FURTHER: usize = 17;

/// The figure that stands for each benchmark ([`Goals::stat`]), a column for each setting, and how far the further ones are
/// from the first.
///
/// With [`Rows::Goals`] only those that are not the same in all.
pub fn table(
    settings: &[(&str, &[BenchResult])],
    goals: &Goals,
    rows: Rows,
    style: Style,
) -> String {
    let letters = ('A'..='Z').chain('a'..='z');
    let mut text = String::new();
    for (at, (letter, (name, _))) in letters.clone().zip(settings).enumerate() {
        text += &format!("{:<8}{letter} {name}\n", if at == 0 { "compare" } else { "" });
    }
    let names = names(settings, goals);
    let longest = names.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max(NAME);
    let mut head = format!("{:<longest$} {:<STAT$}{:>FIRST$}", "benchmark", "of", "A");
    for letter in letters.take(settings.len()).skip(1) {
        head += &format!("{letter:>FURTHER$}");
    }
    text += &head;
    text.push('\n');
    let mut same = 0;
    for (name, stat) in names {
        let figures: Vec<Option<PerOp>> =
            settings.iter().map(|(_, results)| figure(results, name, stat)).collect();
        if rows == Rows::Goals && figures.iter().all(|one| printed(*one) == printed(figures[0])) {
            same += 1;
            continue;
        }
        text += &row((name, longest), stat, &figures, style);
    }
    if same > 0 {
        text += &format!("     {same} are the same in all: --all\n");
    }
    text
}

/// The names of all benchmarks, in the order in which they first come, each with what stands for it.
fn names<'a>(settings: &[(&str, &'a [BenchResult])], goals: &Goals) -> Vec<(&'a str, Stat)> {
    let mut names: Vec<(&str, Stat)> = Vec::new();
    for result in settings.iter().flat_map(|(_, results)| results.iter()) {
        if !names.iter().any(|(name, _)| *name == result.name) {
            names.push((&result.name, goals.stat(result)));
        }
    }
    names
}

/// The figure of a benchmark that passed.
fn figure(results: &[BenchResult], name: &str, stat: Stat) -> Option<PerOp> {
    let result = results.iter().find(|result| result.name == name && result.ok)?;
    Some(PerOp { value: stat.of(&result.summary), ops: result.ops.max(1) })
}

fn row(
    (name, longest): (&str, usize),
    stat: Stat,
    figures: &[Option<PerOp>],
    style: Style,
) -> String {
    let said = |one: &Option<PerOp>| one.map_or("-".to_owned(), |one| one.to_string());
    let mut line = format!("{name:<longest$} {:<STAT$}{:>FIRST$}", stat.name(), said(&figures[0]));
    for one in &figures[1..] {
        let change = figures[0].zip(*one).map_or(0.0, |(first, one)| tenths(one) - tenths(first));
        let text = match change {
            0.0 => said(one),
            _ => format!("{} ({:+})", said(one), change / 10.0),
        };
        let padded = format!("{text:>FURTHER$}");
        line += &if change > 0.0 {
            style.bad(&padded)
        } else if change < 0.0 {
            style.good(&padded)
        } else {
            padded
        };
    }
    line.trim_end().to_owned() + "\n"
}

/// What two figures are compared by: as printed.
fn printed(figure: Option<PerOp>) -> Option<u64> {
    figure.map(|figure| tenths(figure) as u64)
}

/// Ten times the figure as it is printed: from a thousand on without tenths.
fn tenths(figure: PerOp) -> f64 {
    let exact = figure.value as f64 / figure.ops as f64;
    if exact >= 1000.0 { exact.round() * 10.0 } else { (exact * 10.0).round() }
}

#[cfg(test)]
mod tests;
