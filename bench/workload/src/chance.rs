//! Chance, by seed: each thread has a stream of its own, so that all who play a workload meet the same arrivals and times.

use crate::model::{Choose, Group, Pull, Share, Source, Time, Workload};

/// A stream of pseudo-random numbers (SplitMix64).
#[derive(Clone, Debug)]
pub struct Chance(u64);

/// 2³², which is one in the fixed-point numbers of this module.
const ONE: u64 = 1 << 32;
/// The natural logarithm of 2.
const LN_2: u64 = 2_977_044_472;
/// Into how many parts the octave is cut.
const PARTS: u64 = 32;
/// The natural logarithms of 1, 1 + 1/32, 1 + 2/32 ...
const LN: [u64; PARTS as usize] = {
    let mut table = [0; PARTS as usize];
    let mut part = 0;
    while part < PARTS {
        table[part as usize] = by_squaring((PARTS + part) << 58);
        part += 1;
    }
    table
};

/// The natural logarithm of `m` / 2⁶³, from 1 to 2: the bits of the binary one, found one by one.
const fn by_squaring(mut m: u64) -> u64 {
    let (mut bits, mut bit) = (0u64, 0);
    while bit < 40 {
        let square = (m as u128 * m as u128) >> 63;
        bits <<= 1;
        if square >> 64 != 0 {
            bits |= 1;
            m = (square >> 1) as u64;
        } else {
            m = square as u64;
        }
        bit += 1;
    }
    ((bits as u128 * LN_2 as u128) >> 40) as u64
}

/// The negative of the natural logarithm of `v` / 2⁵³, where `v` is from 1 to 2⁵³.
fn minus_ln(v: u64) -> u64 {
    let shift = v.leading_zeros();
    let m = v << shift;
    let part = (m >> 58) & (PARTS - 1);
    // m = (1 + part / 32) (1 + r), and r is below 1/32: four terms of its series are enough.
    let rest = (m & (u64::MAX >> 6)) >> 10;
    let r = (rest / (PARTS + part)) >> 16;
    let (r2, r3) = ((r * r) >> 32, (((r * r) >> 32) * r) >> 32);
    let ln_m = LN[part as usize] + r - r2 / 2 + r3 / 3 - ((r2 * r2) >> 32) / 4;
    // v / 2^53 = 2^(10 - shift) m, with m from 1 to 2.
    ((u64::from(shift) - 10) * LN_2).saturating_sub(ln_m)
}

/// A job: what there is to do, and with whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Job {
    /// CPU time, in nanoseconds.
    pub service: u64,
    /// Which thread of the other group it sends a request to; of no meaning where it sends none.
    pub to: usize,
    /// How long its thread sleeps afterwards, in nanoseconds.
    pub sleep: u64,
    /// The CPU that its thread goes to before, if it goes anywhere.
    pub goes: Option<usize>,
    /// How many CPUs further the one is that it asks for a thread afterwards, if it asks any.
    pub asks: Option<usize>,
}

impl Chance {
    /// The stream of one thread.
    pub fn of(seed: u64, stream: usize, index: usize) -> Self {
        let mut mixed = Self(seed);
        let salt = mixed.word() ^ ((stream as u64) << 32 | index as u64);
        mixed.0 ^= salt.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed.word();
        mixed
    }

    /// The stream of the jobs of a thread of group `number`.
    pub fn of_jobs(seed: u64, number: usize, index: usize) -> Self {
        Self::of(seed, 2 * number, index)
    }

    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.word()) * bound as u128) >> 64) as usize
    }

    /// Whether this is one of so many of all.
    fn strikes(&mut self, share: Share) -> bool {
        (self.word() >> 32) as u32 <= share.0
    }

    /// A time, in nanoseconds; 1 at least, so that whatever repeats takes time.
    fn time(&mut self, time: Time) -> u64 {
        match time {
            Time::Fixed(nanos) => nanos,
            Time::Exponential(mean) => {
                let factor = minus_ln((self.word() >> 11) + 1);
                ((u128::from(mean) * u128::from(factor) + u128::from(ONE / 2)) >> 32) as u64
            }
            Time::Bimodal { short, long, share } => {
                if self.strikes(share) {
                    long
                } else {
                    short
                }
            }
        }
        .max(1)
    }

    /// The next job of thread `index` of a group whose requests go to one of so many threads, on so many CPUs.
    pub fn job(&mut self, group: &Group, index: usize, others: usize, cpus: usize) -> Job {
        let service = self.time(group.service);
        let to = match group.send.map(|send| send.choose) {
            None => 0,
            Some(Choose::Own) => index % others,
            Some(Choose::Any) => self.below(others),
        };
        let sleep = group.sleep.map_or(0, |sleep| self.time(sleep));
        let goes = group.go.is_some_and(|share| self.strikes(share)).then(|| self.below(cpus));
        let asks = group.pull == Pull::Any && cpus > 1;
        let asks = asks.then(|| 1 + self.below(cpus - 1));
        Job { service, to, sleep, goes, asks }
    }
}

/// When the jobs of a thread arrive, if they arrive by themselves: what comes does not depend on what is done.
#[derive(Clone, Debug)]
pub struct Arrivals {
    chance: Chance,
    apart: Option<Time>,
    next: u64,
    left: u64,
}

impl Arrivals {
    /// Those of thread `index` of group `number`, which has so many threads.
    pub fn of(workload: &Workload, number: usize, index: usize, cpus: usize, seed: u64) -> Self {
        let group = &workload.groups[number];
        let mut chance = Chance::of(seed, 2 * number + 1, index);
        let (apart, next) = match group.source {
            // Threads whose jobs come at fixed intervals take turns: else all would wait at once.
            Source::Arrivals(apart @ Time::Fixed(nanos)) => {
                let turn = u128::from(nanos) * index as u128 / group.threads(cpus).max(1) as u128;
                (Some(apart), 1 + turn as u64)
            }
            Source::Arrivals(apart) => (Some(apart), chance.time(apart)),
            Source::Requests | Source::Always => (None, u64::MAX),
        };
        Self { chance, apart, next, left: workload.jobs.unwrap_or(u64::MAX) }
    }

    /// When the next one comes, if one does.
    pub fn next(&self) -> Option<u64> {
        (self.apart.is_some() && self.left > 0).then_some(self.next)
    }

    /// Takes those that come up to a moment; how many they are.
    pub fn take_until(&mut self, now: u64) -> u64 {
        let Some(apart) = self.apart else { return 0 };
        let before = self.left;
        while self.left > 0 && self.next <= now {
            self.left -= 1;
            self.next = self.next.saturating_add(self.chance.time(apart));
        }
        before - self.left
    }
}

#[cfg(test)]
mod tests;
