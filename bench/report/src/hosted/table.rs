//! The comparison for a terminal: 80 columns, fewer where it is narrower.
//!
//! ```text
//! goal pair             peer           ours    peer ratio 95 % interval  must
//! G11  ring/push_pop    rtrb            5.0     7.0  0.71     0.70-0.73  0.80 ok
//! |5  |17              |13         |  6  |   8   |  6  |      14     |  6  |5
//! ```

use super::{Pair, median, percentile};
use crate::table::Style;
use crate::{Goals, Match};

const GOAL: usize = 5;
const PAIR: usize = 17;
const PEER: usize = 13;
const TICKS: usize = 14;
const RATIO: usize = 6;
const INTERVAL: usize = 14;
const MUST: usize = 11;
const NARROWEST: usize = GOAL + PAIR + PEER + RATIO + MUST;

/// Whether a second line tells how far the rounds lie apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// The interval says enough.
    Hidden,
    /// Smallest, 99th percentile, largest.
    Shown,
}

/// Whether ticks and interval fit beside the rest.
fn fits(style: Style) -> (bool, bool) {
    (style.columns >= NARROWEST + TICKS, style.columns >= NARROWEST + TICKS + INTERVAL)
}

/// The head of the table.
pub fn head(style: Style) -> String {
    let (ticks, interval) = fits(style);
    let mut line = format!("{:<GOAL$}{:<PAIR$}{:<PEER$}", "goal", "pair", "peer");
    if ticks {
        line += &format!("{:>6}{:>8}", "ours", "peer");
    }
    line += &format!("{:>RATIO$}", "ratio");
    if interval {
        line += &format!("{:>INTERVAL$}", "95 % interval");
    }
    format!("{line}{:>6}\n", "must")
}

/// The row of a pair, and its spread.
pub fn row(pair: &Pair, goals: &Goals, spread: Spread, style: Style) -> String {
    let goal = goals.ratio(&pair.name, &pair.peer);
    let near = if pair.matches == Match::Nearest { " ~" } else { "" };
    let peer = format!("{}{near}", pair.peer);
    let mut line =
        format!("{:<GOAL$}{:<PAIR$}{peer:<PEER$}", goal.map_or("", |goal| &goal.id), pair.name);
    if !pair.is_enough() {
        let (quiet, all) = (pair.rounds.len(), pair.rounds.len() + pair.discarded);
        return format!("{line} no figure: {quiet} of {all} rounds were quiet\n");
    }
    let ratios = pair.ratios();
    let (low, high) = pair.interval();
    let (ticks, interval) = fits(style);
    if ticks {
        let (ours, theirs) = pair.ticks();
        line += &format!("{:>6}{:>8}", ticks_text(ours), ticks_text(theirs));
    }
    line += &format!("{:>RATIO$}", ratio_text(median(&ratios)));
    if interval {
        let interval = format!("{}-{}", ratio_text(low), ratio_text(high));
        line += &format!("{interval:>INTERVAL$}");
    }
    if let Some(goal) = goal {
        let verdict = match pair.met(goals) {
            Some(true) => style.good("ok"),
            Some(false) => style.bad("MISS"),
            None => "?".into(),
        };
        line += &format!("{:>6} {verdict}", ratio_text(goal.must));
    }
    let mut text = line.trim_end().to_owned() + "\n";
    if spread == Spread::Shown {
        let left_out = match pair.discarded {
            0 => String::new(),
            disturbed => format!(", {disturbed} disturbed ones left out"),
        };
        text += &format!(
            "{:GOAL$}{} rounds{left_out}: min {}  p99 {}  max {}\n",
            "",
            ratios.len(),
            ratio_text(ratios[0]),
            ratio_text(percentile(&ratios, 99)),
            ratio_text(ratios[ratios.len() - 1]),
        );
    }
    text
}

/// What the marks mean that these pairs have.
pub fn foot(pairs: &[Pair], goals: &Goals) -> String {
    let open = |pair: &Pair| {
        goals.ratio(&pair.name, &pair.peer).is_some()
            && pair.is_enough()
            && pair.met(goals).is_none()
    };
    let mut text = "     ticks per operation; medians of rounds A B B A\n".to_owned();
    if pairs.iter().any(|pair| pair.matches == Match::Nearest) {
        text += "     ~ nearest, not the same operation: bench/README.md\n";
    }
    if pairs.iter().any(open) {
        text += "     ? the goal lies within the interval: no verdict\n";
    }
    if pairs.iter().any(|pair| !pair.is_enough()) {
        text += "     no figure: this host was too busy; a bare cache line shows it\n";
    }
    text
}

fn ticks_text(ticks: f64) -> String {
    if ticks < 1000.0 { format!("{ticks:.1}") } else { format!("{ticks:.0}") }
}

/// In five characters at most, and two digits at least.
fn ratio_text(ratio: f64) -> String {
    match ratio {
        _ if ratio >= 99.95 => format!("{ratio:.0}"),
        _ if ratio >= 9.995 => format!("{ratio:.1}"),
        _ if ratio >= 0.0995 => format!("{ratio:.2}"),
        _ => format!("{ratio:.4}").trim_start_matches('0').to_owned(),
    }
}
