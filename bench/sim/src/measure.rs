//! What a run is measured by.

pub use ::workload::Wakes;

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
    /// What the services of all jobs that were begun take together, in nanoseconds.
    pub service: u64,
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
    /// Whether it came to an end of its own: all jobs are done.
    pub is_over: bool,
    /// By group, in order of names.
    pub groups: Vec<Group>,
    /// Switches between threads, those to and from idle threads included.
    pub switches: u64,
    /// Those among them from a thread that had to wait.
    pub waits: u64,
    /// Times that an idle CPU was interrupted.
    pub rests: u64,
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
