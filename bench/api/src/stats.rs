//! Order statistics on whole samples: the same on guest and host, integers only, nothing interpolated.

/// Order statistics of a set of samples, each a value that was measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// Smallest.
    pub min: u64,
    /// A quarter of the samples is not larger.
    pub q1: u64,
    /// Half of the samples is not larger.
    pub median: u64,
    /// Three quarters of the samples are not larger.
    pub q3: u64,
    /// 99 of 100 samples are not larger.
    pub p99: u64,
    /// 999 of 1,000 samples are not larger.
    pub p999: u64,
    /// Largest.
    pub max: u64,
}

/// The smallest sample that `share` of `of` are not larger than (nearest rank). `sorted` must not be empty.
pub fn quantile(sorted: &[u64], share: u64, of: u64) -> u64 {
    let rank = (sorted.len() as u64 * share).div_ceil(of).max(1);
    sorted[rank as usize - 1]
}

impl Summary {
    /// Sorts the samples and summarises them; `None` if there are none.
    pub fn of(samples: &mut [u64]) -> Option<Summary> {
        samples.sort_unstable();
        let (&min, &max) = (samples.first()?, samples.last()?);
        Some(Summary {
            min,
            q1: quantile(samples, 1, 4),
            median: quantile(samples, 1, 2),
            q3: quantile(samples, 3, 4),
            p99: quantile(samples, 99, 100),
            p999: quantile(samples, 999, 1000),
            max,
        })
    }

    /// The values, in the order of the fields.
    pub fn values(&self) -> [u64; 7] {
        [self.min, self.q1, self.median, self.q3, self.p99, self.p999, self.max]
    }

    /// The summary with these values, in the order of the fields.
    pub fn from_values(values: [u64; 7]) -> Summary {
        let [min, q1, median, q3, p99, p999, max] = values;
        Summary { min, q1, median, q3, p99, p999, max }
    }
}

/// `value / ops` with one decimal where it is not whole: the figure per operation.
#[derive(Clone, Copy, Debug)]
pub struct PerOp {
    /// What was measured for all operations together.
    pub value: u64,
    /// How many operations that were; not 0.
    pub ops: u64,
}

impl core::fmt::Display for PerOp {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Rounded to tenths, halves up.
        let tenths = (self.value as u128 * 20 + self.ops as u128) / (self.ops as u128 * 2);
        let mut text = Short { bytes: [0; 40], len: 0 };
        let (whole, tenth) = (tenths / 10, tenths % 10);
        use core::fmt::Write;
        if tenth == 0 || whole >= 1000 {
            write!(text, "{}", (tenths + 5 * u128::from(whole >= 1000)) / 10)?;
        } else {
            write!(text, "{whole}.{tenth}")?;
        }
        f.pad(text.as_str())
    }
}

/// A short text on the stack, so that a number can be padded.
struct Short {
    bytes: [u8; 40],
    len: usize,
}

impl Short {
    fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.len]).unwrap_or("?")
    }
}

impl core::fmt::Write for Short {
    fn write_str(&mut self, s: &str) -> core::fmt::Result {
        let end = self.len + s.len();
        self.bytes.get_mut(self.len..end).ok_or(core::fmt::Error)?.copy_from_slice(s.as_bytes());
        self.len = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
