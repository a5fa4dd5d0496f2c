//! The hosted comparison: ours against a peer's in one process on real silicon, as paired ratios.
//!
//! A round runs A B B A, so that what drifts during a round (clock rate, a neighbour) meets both sides alike. The ratio of a
//! round is paired; its median comes with a confidence interval by bootstrap. Outliers stay; only rounds across CPUs that
//! a bare cache line shows to be disturbed are left out, by the caller, and counted.

use crate::json::Line;
use crate::table::Style;
use crate::{Goals, Match, RunKey};

/// Times the rounds are drawn again for the interval.
const DRAWS: usize = 4000;

/// One comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// What is compared: `ring/push_pop`.
    pub name: String,
    /// With whom: `rtrb`.
    pub peer: String,
    /// Its version.
    pub version: String,
    /// Whether the peer does the same.
    pub matches: Match,
    /// Ticks per operation, ours and the peer's, of each round kept.
    pub rounds: Vec<(f64, f64)>,
    /// Rounds left out, since the host was disturbed.
    pub discarded: usize,
    /// Ticks of a bare cache line's round trip, for what crosses CPUs.
    pub line: Option<f64>,
}

/// Fewer rounds give no figure.
pub const FEWEST: usize = 9;

impl Pair {
    /// The ratios ours/peer, sorted.
    pub fn ratios(&self) -> Vec<f64> {
        let mut ratios: Vec<f64> = self.rounds.iter().map(|(ours, theirs)| ours / theirs).collect();
        ratios.sort_by(f64::total_cmp);
        ratios
    }

    /// Whether enough rounds were kept for a figure.
    pub fn is_enough(&self) -> bool {
        self.rounds.len() >= FEWEST
    }

    /// The 95 % interval of the median ratio: percentiles of the medians of rounds drawn with replacement. The draws
    /// come from a fixed seed: the same rounds give the same interval.
    pub fn interval(&self) -> (f64, f64) {
        let ratios = self.ratios();
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut medians: Vec<f64> = (0..DRAWS)
            .map(|_| {
                let mut drawn: Vec<f64> = (0..ratios.len())
                    .map(|_| ratios[(random(&mut state) % ratios.len() as u64) as usize])
                    .collect();
                drawn.sort_by(f64::total_cmp);
                median(&drawn)
            })
            .collect();
        medians.sort_by(f64::total_cmp);
        (medians[DRAWS * 25 / 1000], medians[DRAWS * 975 / 1000 - 1])
    }

    fn ours(&self) -> f64 {
        median(&sorted(self.rounds.iter().map(|round| round.0)))
    }

    fn theirs(&self) -> f64 {
        median(&sorted(self.rounds.iter().map(|round| round.1)))
    }

    /// Whether the goal is met; `None` if there is none, or no figure.
    pub fn met(&self, goals: &Goals) -> Option<bool> {
        let goal = goals.ratio(&self.name, &self.peer)?;
        self.is_enough().then(|| median(&self.ratios()) <= goal.must)
    }

    /// The JSON line.
    pub fn json(&self, goals: &Goals, key: &RunKey) -> String {
        let mut line = Line::new("ratio");
        line.text("pair", &self.name);
        if let Some(goal) = goals.ratio(&self.name, &self.peer) {
            line.text("goal", &goal.id).real("goal_must", goal.must);
        }
        if let Some(met) = self.met(goals) {
            line.flag("goal_met", met);
        }
        line.text("peer", &self.peer).text("peer_version", &self.version);
        line.text("peer_match", if self.matches == Match::Same { "same" } else { "nearest" });
        line.text("unit", "cycles").whole("n", self.rounds.len() as u64);
        line.whole("discarded", self.discarded as u64);
        if let Some(ticks) = self.line {
            line.real("line_ticks", ticks);
        }
        if self.is_enough() {
            let ratios = self.ratios();
            let (low, high) = self.interval();
            line.real("ours", self.ours()).real("theirs", self.theirs());
            line.real("ratio_min", ratios[0]).real("ratio_median", median(&ratios));
            line.real("ratio_max", ratios[ratios.len() - 1])
                .real("ratio_low", low)
                .real("ratio_high", high);
        }
        line.key(key).done()
    }

    /// The row of the table.
    pub fn row(&self, goals: &Goals, style: Style) -> String {
        let goal = goals.ratio(&self.name, &self.peer);
        let near = if self.matches == Match::Nearest { " ~" } else { "" };
        let peer = format!("{} {}{near}", self.peer, self.version);
        let head = format!("{:<5}{:<17}", goal.map_or("", |goal| &goal.id), self.name);
        if !self.is_enough() {
            let all = self.rounds.len() + self.discarded;
            let quiet = self.rounds.len();
            return format!("{head} no figure: {quiet} of {all} rounds were quiet     {peer}\n");
        }
        let (low, high) = self.interval();
        let ratio = median(&self.ratios());
        let must = goal.map_or(String::new(), |goal| format!("{:.2}", goal.must));
        let verdict = match self.met(goals) {
            Some(true) => style.good("ok  "),
            Some(false) => style.bad("MISS"),
            None => "    ".into(),
        };
        let figures = format!("{:>7.1}{:>7.1}{ratio:>6.2}", self.ours(), self.theirs());
        let line = format!("{head}{figures}  {low:>5.2}..{high:<5.2}{must:>5} {verdict} {peer}");
        line.trim_end().to_owned() + "\n"
    }
}

/// The head of the table.
pub fn head() -> String {
    "goal pair                ours   peer ratio   95 % of it must      peer\n".into()
}

/// The foot of the table.
pub fn foot() -> String {
    "     ticks per operation, median of rounds A B B A; ~ nearest, not the same operation\n".into()
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The median of sorted values; between two, their mean.
pub fn median(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) {
        (sorted[half - 1] + sorted[half]) / 2.0
    } else {
        sorted[half]
    }
}

/// xorshift64*.
fn random(state: &mut u64) -> u64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33
}

#[cfg(test)]
mod tests;
