//! Whether the counters of CPUs agree: what an exchange between two of them proves, and what that says of all.
//!
//! ```text
//!   the CPU that asks    sent ──────┐         ┌────▶ got          its counter, twice
//!   the CPU that answers            └▶ answered ┘                 its counter, once
//! ```
//! The answer was read after the question was sent and before it was got. So the counter of who answers is ahead of the other's by
//! `answered - got` at least and by `answered - sent` at most, however long either way took: a round trip is as wide as the doubt that
//! it leaves. Several round trips leave what all of them allow. Law: nothing here reads a clock, and a word of disagreement is a proof.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

#[cfg(test)]
mod tests;

/// The three readings of one exchange, in ticks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exchange {
    /// When the question was sent, by the counter of who asks.
    pub sent: u64,
    /// When it was answered, by the counter of who answers.
    pub answered: u64,
    /// When the answer had come, by the counter of who asks.
    pub got: u64,
}

/// By how many ticks a counter is ahead of another: somewhere from `least` to `most`; negative when it is behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Offset {
    least: i64,
    most: i64,
}

impl Offset {
    /// Of which nothing is known.
    pub const UNKNOWN: Offset = Offset { least: i64::MIN, most: i64::MAX };

    /// What one exchange proves.
    pub const fn of(exchange: Exchange) -> Offset {
        let Exchange { sent, answered, got } = exchange;
        // Counters that are further apart than half of what they can count are taken to be nearer, on the other side.
        Offset {
            least: answered.wrapping_sub(got).cast_signed(),
            most: answered.wrapping_sub(sent).cast_signed(),
        }
    }

    /// What both prove.
    #[must_use]
    pub fn and(self, other: Offset) -> Offset {
        Offset { least: self.least.max(other.least), most: self.most.min(other.most) }
    }

    /// Whether the counters are apart by this, as far as is known.
    pub const fn allows(self, ticks: i64) -> bool {
        self.least <= ticks && ticks <= self.most
    }

    /// No more than this, either way. Meaningless when no single offset fits all exchanges.
    pub fn within(self) -> u64 {
        self.least.unsigned_abs().max(self.most.unsigned_abs())
    }

    /// By so much the counters surely disagree; 0 when they may be equal. Where no single offset fits all exchanges, the
    /// counters do not run alike, and this is by how much their offset has changed meanwhile.
    pub fn apart(self) -> u64 {
        let drift = self.least.saturating_sub(self.most);
        drift.max(self.least).max(self.most.saturating_neg()).max(0).unsigned_abs()
    }
}

/// What the offsets of all CPUs from the first come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Spread {
    /// No counter is further from the first CPU's than this.
    pub within: u64,
    /// Some counter surely differs from the first CPU's by so much; 0 when all may be equal.
    pub apart: u64,
    /// The CPU whose counter surely differs most, or else is known least.
    pub worst: usize,
}

impl Spread {
    /// Takes in the offset of one more CPU.
    pub fn add(&mut self, cpu: usize, offset: Offset) {
        let (within, apart) = (offset.within(), offset.apart());
        if (apart, within) > (self.apart, if self.apart > 0 { u64::MAX } else { self.within }) {
            self.worst = cpu;
        }
        self.within = self.within.max(within);
        self.apart = self.apart.max(apart);
    }

    /// Whether times of two CPUs can be compared, to within twice [`within`](Self::within).
    pub const fn agree(&self) -> bool {
        self.apart == 0
    }
}
