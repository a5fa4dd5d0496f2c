//! The livelock limiter: finds that interrupts of a line come too fast, and slows its thread down until they do not.
//!
//! ```text
//!   Free --(1) more than `high` a second--> Paced --(2) fewer than `low` a second--> Free
//! ```
//! While it is paced, the line's thread looks at a fixed rate, and what came meanwhile it handles at once. The clock is
//! read once for a millisecond's worth of interrupts.

/// How fast interrupts of a line may come, in interrupts a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Above this the line is paced.
    pub high: u64,
    /// Below this it is free again.
    pub low: u64,
    /// How often the thread of a paced line looks.
    pub paced: u64,
}

impl Rates {
    /// What a device may do: DragonFly's figures.
    pub const DEVICE: Self = Self { high: 120_000, low: 20_000, paced: 40_000 };
    /// No limit.
    pub const ANY: Self = Self { high: u64::MAX, low: 0, paced: 1 };
}

/// What the thread of a line does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Waits for the next interrupt.
    Free,
    /// Sleeps until then, in nanoseconds.
    Until(u64),
}

/// Nanoseconds over which a rate is taken.
const WINDOW: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;

/// The limiter of one line on one CPU.
#[derive(Debug)]
pub struct Limiter {
    rates: Rates,
    /// When this window began, and what came in it.
    since: u64,
    came: u64,
    paced: bool,
    times: u64,
}

impl Limiter {
    /// The limiter of a line that is free at `now`.
    pub const fn new(rates: Rates, now: u64) -> Self {
        Self { rates, since: now, came: 0, paced: false, times: 0 }
    }

    /// So many interrupts came since it was last asked.
    #[inline]
    pub fn came(&mut self, count: u64, now: impl FnOnce() -> u64) -> Pace {
        self.came = self.came.saturating_add(count);
        // A millisecond's worth at the highest rate.
        if !self.paced && self.came <= self.rates.high / (SECOND / WINDOW) {
            return Pace::Free;
        }
        self.look(now())
    }

    #[cold]
    fn look(&mut self, now: u64) -> Pace {
        let elapsed = now.saturating_sub(self.since).max(1);
        let faster = |rate: u64| {
            u128::from(self.came) * u128::from(SECOND) > u128::from(rate) * u128::from(elapsed)
        };
        let (high, low) = (faster(self.rates.high), faster(self.rates.low));
        if !self.paced {
            // Edge 1.
            self.paced = high;
            self.times += u64::from(high);
            self.begin(now);
        } else if elapsed >= WINDOW {
            // Edge 2.
            self.paced = low;
            self.begin(now);
        }
        if self.paced { Pace::Until(now + SECOND / self.rates.paced.max(1)) } else { Pace::Free }
    }

    fn begin(&mut self, now: u64) {
        self.since = now;
        self.came = 0;
    }

    /// How often the line was found to be too fast.
    pub const fn times(&self) -> u64 {
        self.times
    }
}
