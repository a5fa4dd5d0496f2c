//! What a run is measured by.

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
    pub(crate) fn of(mut times: Vec<u64>) -> Self {
        times.sort_unstable();
        let Some(&max) = times.last() else { return Self::default() };
        let rank = |per_mille: usize| times[(times.len() * per_mille).div_ceil(1000).max(1) - 1];
        Self { count: times.len() as u64, p50: rank(500), p99: rank(990), p999: rank(999), max }
    }
}

/// Jain's index: (Σx)² / (n Σx²), 1 when all have the same, 1/n when one has all. Of nothing at all it is 1.
pub(crate) fn jain(shares: &[u64]) -> f64 {
    let sum: f64 = shares.iter().map(|x| *x as f64).sum();
    let squares: f64 = shares.iter().map(|x| (*x as f64).powi(2)).sum();
    if squares == 0.0 { 1.0 } else { sum * sum / (shares.len() as f64 * squares) }
}

/// What became of the threads of one group.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// How many there are.
    pub threads: usize,
    /// Jobs that came: arrivals, requests sent to it, or turns begun.
    pub came: u64,
    /// Jobs that are done.
    pub done: u64,
    /// Jobs that were found unfinished at the end, wherever they were.
    pub in_flight: u64,
    /// Wake-to-run times.
    pub wakes: Wakes,
    /// How equal the CPU time of its threads is.
    pub jain: f64,
    /// CPU time of all of them, in nanoseconds.
    pub cpu_time: u64,
}

/// What a run found. Times are in nanoseconds and, but for `duration`, summed over CPUs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// How long it took, in virtual time.
    pub duration: u64,
    /// By group, in order of names.
    pub groups: Vec<Group>,
    /// Switches between threads, those to and from idle threads included.
    pub switches: u64,
    /// Those among them from a thread that had to wait.
    pub waits: u64,
    /// Threads that went to another CPU.
    pub migrations: u64,
    /// Calls sent to other CPUs.
    pub messages: u64,
    /// Doorbells that took an interrupt.
    pub ipis_sent: u64,
    /// Doorbells that needed none.
    pub ipis_avoided: u64,
    /// Sends that found no room.
    pub ring_full: u64,
    /// Ticks after which the running thread gave way.
    pub ticks: u64,
    /// Time in threads' own work.
    pub working: u64,
    /// Time in kernel paths.
    pub in_kernel: u64,
    /// Time of idle CPUs, but never of more of them than threads waited for a CPU elsewhere.
    pub idle_while_waiting: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(jain(&[5, 5, 5]), 1.0);
        assert_eq!(jain(&[9, 0, 0]), 1.0 / 3.0);
        assert_eq!(jain(&[]), 1.0);
    }
}
