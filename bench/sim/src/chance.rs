//! Chance, by seed: each thread has a stream of its own, so that all policies meet the same arrivals and service times.

use crate::workload::Time;

/// A stream of pseudo-random numbers (SplitMix64).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The stream of one thread.
    pub fn of(seed: u64, group: usize, index: usize) -> Self {
        let mut mixed = Self(seed);
        let salt = mixed.word() ^ ((group as u64) << 32 | index as u64);
        mixed.0 ^= salt.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed.word();
        mixed
    }

    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Above 0, at most 1.
    fn share(&mut self) -> f64 {
        ((self.word() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.word()) * bound as u128) >> 64) as usize
    }

    /// A time, in nanoseconds; 1 at least, so that whatever repeats takes time.
    pub fn time(&mut self, time: Time) -> u64 {
        match time {
            Time::Fixed(nanos) => nanos,
            Time::Exponential(mean) => (-self.share().ln() * mean as f64).round() as u64,
            Time::Bimodal { short, long, share } => {
                if self.share() <= share {
                    long
                } else {
                    short
                }
            }
        }
        .max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(time: Time) -> f64 {
        let mut chance = Chance::of(1, 2, 3);
        (0..100_000).map(|_| chance.time(time) as f64).sum::<f64>() / 100_000.0
    }

    #[test]
    fn means_are_what_was_asked_for() {
        assert_eq!(mean(Time::Fixed(70)), 70.0);
        assert!((mean(Time::Exponential(1000)) - 1000.0).abs() < 15.0);
        let bimodal = mean(Time::Bimodal { short: 100, long: 1100, share: 0.1 });
        assert!((bimodal - 200.0).abs() < 5.0, "{bimodal}");
    }

    #[test]
    fn streams_differ_by_seed_group_and_thread() {
        let first = |seed, group, index| Chance::of(seed, group, index).word();
        let all = [first(1, 0, 0), first(2, 0, 0), first(1, 1, 0), first(1, 0, 1), first(0, 1, 1)];
        let different: std::collections::BTreeSet<u64> = all.into_iter().collect();
        assert_eq!(different.len(), all.len());
        assert_eq!(first(1, 2, 3), first(1, 2, 3));
    }
}
