//! The look: lines for a terminal of 80 columns, fewer columns where it is narrower, colour where it is wanted.
//!
//! ```text
//! goal benchmark            min   med   p99  must        opponent
//! G3   kernel/switch         58    58    58    60 ok     1520 Linux yield     ~
//! |5  |18              |  6   |  6  |  6  |  6  |4  |  7   |16             |1
//! ```

use crate::baseline::{Figure, Row, Verdict};
use crate::{Baseline, BenchResult, Comparison, Goal, Goals, Match, RunKey, Stat};
use bench_api::stats::PerOp;

/// How to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Width of the terminal; 80 where there is none.
    pub columns: usize,
    /// Whether escape sequences for colour are wanted.
    pub color: Color,
}

/// Whether to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// Plain text: no terminal, or `NO_COLOR`.
    Never,
    /// Escape sequences.
    Always,
}

impl Style {
    /// For an output that is a terminal of `columns`, or is none; `no_color` is the variable `NO_COLOR`.
    pub fn of(columns: Option<usize>, no_color: Option<&str>) -> Style {
        let wanted = columns.is_some() && no_color.is_none_or(str::is_empty);
        let color = if wanted { Color::Always } else { Color::Never };
        Style { columns: columns.unwrap_or(80), color }
    }

    /// 80 columns, no colour.
    pub const PLAIN: Style = Style { columns: 80, color: Color::Never };

    fn paint(&self, text: &str, code: &str) -> String {
        match self.color {
            Color::Always if !text.trim().is_empty() => format!("\x1b[{code}m{text}\x1b[0m"),
            _ => text.into(),
        }
    }

    pub(crate) fn good(&self, text: &str) -> String {
        self.paint(text, "32")
    }

    pub(crate) fn bad(&self, text: &str) -> String {
        self.paint(text, "31;1")
    }
}

/// Which rows of the table to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Those that answer a goal, and those that failed.
    Goals,
    /// All.
    All,
}

const GOAL: usize = 5;
const NAME: usize = 18;
const NUMBER: usize = 6;
const MARK: usize = 4;
const FIGURE: usize = 7;
const WHO: usize = 16;
/// What is left of a row without opponent, p99 and median.
const NARROWEST: usize = GOAL + NAME + 2 * NUMBER + 1 + MARK;

/// What fits into the terminal.
struct Columns {
    name: usize,
    median: bool,
    p99: bool,
    opponent: bool,
    who: usize,
}

impl Columns {
    fn fit(style: Style, longest: usize) -> Columns {
        // A long name takes its room from the opponent's name first.
        let name = longest.max(NAME);
        let narrowest = NARROWEST + name - NAME;
        let with = |extra: usize| narrowest + extra <= style.columns;
        let rest = style.columns.saturating_sub(narrowest + 2 * NUMBER + FIGURE + 3);
        let who = rest.min(WHO);
        Columns {
            name: if with(0) {
                name
            } else {
                style.columns.saturating_sub(NARROWEST - NAME).max(4)
            },
            median: with(NUMBER),
            p99: with(2 * NUMBER),
            opponent: with(2 * NUMBER + FIGURE + 3) && who >= 8,
            who,
        }
    }
}

/// The table of results, with its head and what it leaves out.
pub fn goals_table(results: &[BenchResult], goals: &Goals, rows: Rows, style: Style) -> String {
    let chosen =
        |result: &&BenchResult| rows == Rows::All || !result.ok || goals.of(&result.name).is_some();
    let shown: Vec<&BenchResult> = results.iter().filter(chosen).collect();
    let longest = shown.iter().map(|result| result.name.chars().count()).max().unwrap_or(0);
    let columns = Columns::fit(style, longest);
    let mut text = head(&columns);
    let mut nearest = false;
    for result in &shown {
        let goal = goals.of(&result.name);
        nearest |= goal
            .and_then(|goal| goal.opponents.first())
            .is_some_and(|o| o.matches == Match::Nearest);
        text += &row(result, goal, &columns, style);
    }
    text + &judged(&shown, goals)
        + &units(&shown, style)
        + &foot(results.len() - shown.len(), nearest && columns.opponent)
}

/// The figures that goals are held to and that have no column.
fn judged(shown: &[&BenchResult], goals: &Goals) -> String {
    let lines = shown.iter().filter_map(|result| {
        let goal = goals.of(&result.name).filter(|goal| goal.met(result).is_some())?;
        let has_column = matches!(goal.stat, Stat::Min | Stat::Median);
        let figure = PerOp { value: goal.stat.of(&result.summary), ops: result.ops };
        let stat = goal.stat.name();
        (!has_column).then(|| format!("     judged by its {stat}: {} {figure}\n", result.name))
    });
    lines.collect()
}

/// What the figures are that are no instructions or cycles, as the others: a line for each unit, or more.
fn units(shown: &[&BenchResult], style: Style) -> String {
    let counts = |result: &&&BenchResult| !matches!(result.unit.as_str(), "insns" | "cycles" | "");
    let mut units: Vec<&str> = Vec::new();
    for result in shown.iter().filter(counts) {
        if !units.contains(&result.unit.as_str()) {
            units.push(&result.unit);
        }
    }
    let mut text = String::new();
    for unit in units {
        let mut line = format!("     in {unit}:");
        let names = shown.iter().filter(|result| result.unit == unit).map(|one| &one.name);
        for (at, name) in names.enumerate() {
            let comma = if at > 0 { "," } else { "" };
            if line.chars().count() + name.len() + 2 > style.columns {
                text += &end(format!("{line}{comma}"));
                line = format!("       {name}");
            } else {
                line += &format!("{comma} {name}");
            }
        }
        text += &end(line);
    }
    text
}

fn head(columns: &Columns) -> String {
    let mut line =
        format!("{:<GOAL$}{:<name$}{:>NUMBER$}", "goal", "benchmark", "min", name = columns.name);
    if columns.median {
        line += &format!("{:>NUMBER$}", "med");
    }
    if columns.p99 {
        line += &format!("{:>NUMBER$}", "p99");
    }
    line += &format!("{:>NUMBER$}", "must");
    if columns.opponent {
        line += &format!(" {:MARK$}{:>FIGURE$}", "", "opponent", FIGURE = FIGURE + 4);
    }
    end(line)
}

fn row(result: &BenchResult, goal: Option<&Goal>, columns: &Columns, style: Style) -> String {
    let per_op = |value| PerOp { value, ops: result.ops }.to_string();
    let summary = &result.summary;
    let least = per_op(summary.min);
    // The name gives way to a figure that needs its room.
    let name = clip(
        &result.name,
        columns.name.min((columns.name + NUMBER - 1).saturating_sub(least.len())),
    );
    let width = columns.name + NUMBER - name.chars().count();
    let mut line = format!("{:<GOAL$}{name}{least:>width$}", goal.map_or("", |goal| &goal.id));
    if columns.median {
        line += &format!("{:>NUMBER$}", spaced(&per_op(summary.median)));
    }
    if columns.p99 {
        line += &format!("{:>NUMBER$}", spaced(&per_op(summary.p99)));
    }
    if !result.ok {
        return end(format!("{line} {} {}", style.bad("FAILED"), result.message));
    }
    let Some(goal) = goal else { return end(line) };
    let Some(met) = goal.met(result) else {
        // In another mode the unit is another: nothing to judge.
        return end(line);
    };
    line += &format!("{:>NUMBER$} ", spaced(&goal.must.to_string()));
    line += &if met { style.good("ok") } else { style.bad("MISS") };
    line += if met { "  " } else { "" };
    if let Some(opponent) = goal.opponents.first().filter(|_| columns.opponent) {
        let near = if opponent.matches == Match::Nearest { "~" } else { "" };
        let who = clip(&opponent.name, columns.who);
        line += &format!("{:>FIGURE$} {who:<width$}{near}", opponent.figure, width = columns.who);
    }
    end(line)
}

/// A number that fills its column keeps a space before it.
fn spaced(number: &str) -> String {
    if number.len() < NUMBER { number.into() } else { format!(" {number}") }
}

fn foot(hidden: usize, nearest: bool) -> String {
    let more = if hidden == 0 { String::new() } else { format!("... {hidden} more: --all") };
    let note = if nearest { "~ nearest, not the same operation: CAVEATS.md" } else { "" };
    if more.is_empty() && note.is_empty() {
        return String::new();
    }
    end(format!("     {more:<29}{note}"))
}

/// What there is to say about the baseline: the count, and a line for each difference.
pub fn baseline(comparison: &Comparison, old: &Baseline, key: &RunKey, style: Style) -> String {
    let count = |verdict| comparison.count(verdict);
    let worse = format!("{} worse", count(Verdict::Worse));
    let worse = if count(Verdict::Worse) != 0 { style.bad(&worse) } else { worse };
    let rest = [(count(Verdict::New), "new"), (comparison.gone.len(), "gone")];
    let rest = rest.iter().filter(|(count, _)| *count != 0);
    let rest: String = rest.map(|(count, what)| format!(", {count} {what}")).collect();
    let mut text = end(format!(
        "baseline {}: {} same, {} better, {worse}{rest}",
        key.baseline_name(),
        count(Verdict::Same),
        count(Verdict::Better),
    ));
    let differ = comparison.rows.iter().filter_map(|row| {
        let differs = matches!(row.verdict, Verdict::Worse | Verdict::Better);
        row.old.as_ref().filter(|_| differs).map(|old| (row, old))
    });
    let longest = differ.clone().map(|(row, _)| row.bench.chars().count() + 1).max().unwrap_or(0);
    for (row, old) in differ {
        text += &difference(row, old, longest.max(NAME), style);
    }
    for gone in &comparison.gone {
        text += &end(format!("     {gone} is no more"));
    }
    if let Some(builds) = old.run.other_builds(key) {
        text += &end(format!("     it was made with {builds}"));
    }
    text
}

/// What to say when there is no baseline for `key`.
pub fn no_baseline(key: &RunKey) -> String {
    end(format!("baseline {}: none yet; --bless 'reason' makes one", key.baseline_name()))
}

/// The figures, and below or beside them the counters, as many on a line as fit.
fn difference(row: &Row, old: &Figure, name: usize, style: Style) -> String {
    let (before, now) = (per_op(old), per_op(&row.new));
    let (a, b) = (old.value as f64 / old.ops as f64, row.new.value as f64 / row.new.ops as f64);
    let change = ((b - a) * 10.0).round() / 10.0;
    let figures = format!("{before} -> {now} ({change:+})");
    let mut line = format!("     {:<name$}{figures:<17}", row.bench);
    let indent = line.chars().count().min(style.columns / 2);
    let told = if old.n == row.new.n { counters(old, &row.new) } else { Vec::new() };
    let (mut text, mut on_line) = (String::new(), 0);
    for (i, counter) in told.iter().enumerate() {
        let comma = if i + 1 < told.len() { "," } else { "" };
        let counter = format!(" {counter}{comma}");
        if on_line > 0 && line.chars().count() + counter.chars().count() > style.columns {
            text += &end(std::mem::replace(&mut line, " ".repeat(indent)));
            on_line = 0;
        }
        line += &counter;
        on_line += 1;
    }
    text + &end(line)
}

/// The counters of both windows: those of the IPIs, and what has changed.
fn counters(old: &Figure, new: &Figure) -> Vec<String> {
    let of = |figure: &Figure, name: &str| figure.counters.get(name).copied().unwrap_or(0);
    let names = bench_api::Counter::ALL.iter().map(|counter| counter.name());
    let told = names.filter_map(|name| {
        let (before, now) = (of(old, name), of(new, name));
        let label = match name {
            "ipi_sent" => "IPIs".into(),
            "ipi_avoided" => "avoided".into(),
            _ if before != now => name.replace('_', " "),
            _ => return None,
        };
        let sign = if before == now { "=" } else { "->" };
        (before + now != 0).then(|| format!("{label} {before} {sign} {now}"))
    });
    told.collect()
}

fn per_op(figure: &Figure) -> PerOp {
    PerOp { value: figure.value, ops: figure.ops.max(1) }
}

/// What the last line says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Goals met and missed.
    pub goals: (usize, usize),
    /// Benchmarks passed and failed.
    pub benches: (usize, usize),
    /// Stress tests passed and failed.
    pub stress: (usize, usize),
}

/// The last line: `RESULT  10 goals met, 1 missed; 9 stress passed, 0 failed; 1 min 48 s`.
pub fn result_line(totals: Totals, time: &str) -> String {
    let mut parts = Vec::new();
    if totals.goals != (0, 0) {
        let (met, missed) = totals.goals;
        parts.push(format!("{met} {} met, {missed} missed", plural("goal", met)));
    }
    match totals.benches {
        (0, 0) => {}
        // Goals say more where there are any.
        (_, 0) if totals.goals != (0, 0) => {}
        (passed, 0) => parts.push(format!("{passed} {} passed", plural("benchmark", passed))),
        (_, failed) => parts.push(format!("{failed} {} failed", plural("benchmark", failed))),
    }
    if totals.stress != (0, 0) {
        parts.push(format!("{} stress passed, {} failed", totals.stress.0, totals.stress.1));
    }
    parts.push(time.into());
    end(format!("RESULT  {}", parts.join("; ")))
}

fn plural(what: &str, count: usize) -> String {
    if count == 1 { what.into() } else { format!("{what}s") }
}

fn clip(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.into();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

fn end(line: String) -> String {
    line.trim_end().to_owned() + "\n"
}

#[cfg(test)]
mod tests;
