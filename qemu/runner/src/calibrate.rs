//! How fast this host is today, as a factor for time limits.
//!
//! The measure is the start of QEMU that every run makes anyway to ask what it can do: it loads,
//! relocates and initialises the very program whose run is about to be limited, and it is slow
//! exactly when the host is slow or busy. The load average widens the factor where the
//! start was lucky.

use std::{fs, thread, time::Duration};

/// How long the question takes on an idle host of the class that the limits were set on.
pub const REFERENCE: Duration = Duration::from_millis(100);

/// No host is trusted to be this much slower: beyond it a limit is a limit.
const MOST: f64 = 20.0;

/// Returns the factor for a host where the question took this long.
pub fn scale(took: Duration) -> f64 {
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    factor(took, load(&fs::read_to_string("/proc/loadavg").unwrap_or_default()), cores)
}

fn factor(took: Duration, load: f64, cores: usize) -> f64 {
    let start = took.as_secs_f64() / REFERENCE.as_secs_f64();
    // One CPU's worth of the load is QEMU's own.
    let share = (load + 1.0) / cores as f64;
    start.max(share).clamp(1.0, MOST)
}

fn load(text: &str) -> f64 {
    text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests;
