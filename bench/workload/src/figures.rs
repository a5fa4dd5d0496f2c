//! Figures of a run, whoever played it.

use alloc::vec::Vec;

/// Wake-to-run times of a group, each counted: from the wake (of a sleeper: from its deadline) until the thread runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wakes {
    /// How many.
    pub count: u64,
    /// Half are not longer, in nanoseconds.
    pub p50: u64,
    /// 99 of 100 are not longer.
    pub p99: u64,
    /// 999 of 1,000 are not longer.
    pub p999: u64,
    /// The longest.
    pub max: u64,
}

impl Wakes {
    /// Of these times. Nearest rank: each figure is a time that was measured.
    pub fn of(mut times: Vec<u64>) -> Self {
        times.sort_unstable();
        let Some(&max) = times.last() else { return Self::default() };
        let rank = |per_mille: usize| times[(times.len() * per_mille).div_ceil(1000).max(1) - 1];
        Self { count: times.len() as u64, p50: rank(500), p99: rank(990), p999: rank(999), max }
    }
}

/// Jain's index as a fraction: (Σx)² / (n Σx²), 1 when all have the same, 1/n when one has all. Of nothing at all it is 1.
pub fn jain(shares: &[u64]) -> (u128, u128) {
    let sum: u128 = shares.iter().map(|x| u128::from(*x)).sum();
    let squares: u128 = shares.iter().map(|x| u128::from(*x).pow(2)).sum();
    if squares == 0 { (1, 1) } else { (sum.pow(2), shares.len() as u128 * squares) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn ranks_are_of_measured_times() {
        assert_eq!(Wakes::of(vec![]), Wakes::default());
        let wakes = Wakes::of((1..=1000).rev().collect());
        let figures = (wakes.p50, wakes.p99, wakes.p999, wakes.max);
        assert_eq!((wakes.count, figures), (1000, (500, 990, 999, 1000)));
        assert_eq!(Wakes::of(vec![7]).p50, 7);
    }

    #[test]
    fn jain_is_one_for_equals_and_one_nth_for_one_alone() {
        assert_eq!(jain(&[5, 5, 5]), (225, 225));
        assert_eq!(jain(&[9, 0, 0]), (81, 243));
        assert_eq!((jain(&[]), jain(&[0, 0])), ((1, 1), (1, 1)));
    }
}
