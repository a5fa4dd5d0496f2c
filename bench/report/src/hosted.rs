//! The hosted comparison: ours against a peer's in one process on real silicon, as paired ratios.
//!
//! A round runs A B B A, so that what drifts during a round (clock rate, a neighbour) meets both sides alike. The ratio of a
//! round is paired; its median comes with a confidence interval by bootstrap. Outliers stay; only rounds across CPUs that
//! a bare cache line shows to be disturbed are left out, by the caller, and counted.

use crate::json::Line;
use crate::{Goals, Match, RunKey};

mod table;

pub use table::{Spread, foot, head, row};

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
        sorted(self.rounds.iter().map(|(ours, theirs)| ours / theirs))
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

    /// Ticks per operation, ours and the peer's: the medians of the rounds.
    fn ticks(&self) -> (f64, f64) {
        let median = |side: fn(&(f64, f64)) -> f64| median(&sorted(self.rounds.iter().map(side)));
        (median(|round| round.0), median(|round| round.1))
    }

    /// Whether the goal is met: the whole interval has to lie on one side of it. `None` if it does not, if there is no
    /// goal, or no figure.
    pub fn met(&self, goals: &Goals) -> Option<bool> {
        let goal = goals.ratio(&self.name, &self.peer)?;
        let (low, high) = self.is_enough().then(|| self.interval())?;
        if high <= goal.must {
            return Some(true);
        }
        (low > goal.must).then_some(false)
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
            let (ours, theirs) = self.ticks();
            line.real("ours", ours).real("theirs", theirs);
            line.real("ratio_min", ratios[0]).real("ratio_median", median(&ratios));
            line.real("ratio_p99", percentile(&ratios, 99));
            line.real("ratio_max", ratios[ratios.len() - 1])
                .real("ratio_low", low)
                .real("ratio_high", high);
        }
        line.key(key).done()
    }
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

/// The smallest value that `percent` of all are not larger than (nearest rank).
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1]
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
