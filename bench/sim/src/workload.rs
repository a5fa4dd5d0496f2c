//! Workloads: groups of equal threads, and what each of them does over and over, as a TOML file says.
//!
//! ```toml
//! about = "One sentence."      # for --list
//! duration = "1s"              # virtual time; times are "500ns", "10us", "2ms", "1.5s"
//! migrate = "pull"             # an idle CPU takes a thread from the one where most wait; else threads stay ("never")
//!
//! [group.NAME]                 # a group of equal threads
//! count = 8                    # so many; or per_cpu = 2: so many for each CPU
//! priority = 10                # 1 to 31
//! on = "spread"                # over all CPUs, one after the other; or [0, 1]: over these, for good
//! arrivals = { poisson = "2ms" }         # jobs come by themselves, so far apart; or { every = "2ms" }
//! service = { exponential = "100us" }    # CPU time of a job; or { fixed = ".." },
//!                                        # or { bimodal = { short = "..", long = "..", share = 0.1 } } (of long ones)
//! send = { to = "NAME", window = 4 }     # a request to the other group, when the service is over; then wait until fewer
//!                                        # than window (1) are unanswered. choose = "any": to any of its threads by chance,
//!                                        # else always to the same one
//! barrier = true               # then wait until all of the group are here
//! sleep = { fixed = "10ms" }   # then sleep; times as for service
//! ```
//! A group that others send to does a job for each request and answers when it is done; it has no arrivals. A thread with
//! none of arrivals and requests begins its next job when one is over. Arrivals do not wait for who is late.

mod file;

use std::path::Path;

/// A distribution of times, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Time {
    /// Always this.
    Fixed(u64),
    /// Exponential, with this mean.
    Exponential(u64),
    /// One of two.
    Bimodal {
        /// The usual one.
        short: u64,
        /// The other.
        long: u64,
        /// How many of all are long, from 0 to 1.
        share: f64,
    },
}

/// How a thread gets its jobs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Source {
    /// They arrive, so far apart.
    Arrivals(Time),
    /// Others send them.
    Requests,
    /// There is always one.
    Always,
}

/// How many threads a group has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// So many.
    Total(usize),
    /// So many for each CPU.
    PerCpu(usize),
}

/// Where the threads of a group are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Affinity {
    /// Over all CPUs; may be moved, where the workload says so.
    Spread,
    /// Over these, for good.
    On(Vec<usize>),
}

/// Which thread of the other group a request goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choose {
    /// Always the same: the own number, modulo how many there are.
    Own,
    /// Any, by chance.
    Any,
}

/// Requests to another group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Send {
    /// The number of that group.
    pub to: usize,
    /// How many unanswered ones make it wait.
    pub window: u64,
    /// Which of its threads.
    pub choose: Choose,
}

/// Whether the threads of a group wait for one another after each job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barrier {
    /// They do not.
    None,
    /// Each waits until all are there.
    All,
}

/// Equal threads.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// How many.
    pub count: Count,
    /// 1 to 31.
    pub priority: u8,
    /// Where.
    pub on: Affinity,
    /// Where jobs come from.
    pub source: Source,
    /// CPU time of a job.
    pub service: Time,
    /// Requests after the service.
    pub send: Option<Send>,
    /// A barrier after that.
    pub barrier: Barrier,
    /// Sleep after that.
    pub sleep: Option<Time>,
}

impl Group {
    /// How many threads there are on so many CPUs.
    pub fn threads(&self, cpus: usize) -> usize {
        match self.count {
            Count::Total(count) => count,
            Count::PerCpu(count) => count * cpus,
        }
    }

    /// The CPU on which thread `index` begins.
    pub fn cpu_of(&self, index: usize, cpus: usize) -> usize {
        match &self.on {
            Affinity::Spread => index % cpus,
            Affinity::On(these) => these[index % these.len()],
        }
    }
}

/// Whether threads are moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Migrate {
    /// They stay where they began.
    Never,
    /// An idle CPU asks the one where most threads wait for one that may move.
    Pull,
}

/// What a workload file says.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// What it is called: the file's name.
    pub name: String,
    /// One sentence.
    pub about: String,
    /// Virtual time, in nanoseconds.
    pub duration: u64,
    /// Whether threads are moved.
    pub migrate: Migrate,
    /// In order of names.
    pub groups: Vec<Group>,
}

/// More threads than anybody waits for.
const MOST_THREADS: usize = 100_000;

impl Workload {
    /// Reads a file.
    ///
    /// # Errors
    /// The file, the place in it, and what is wrong there, in a line.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Self::parse(&name, &text).map_err(|why| format!("{}{why}", path.display()))
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// What stands behind the file's name in the line: `:LINE: what` or `: KEY: what`.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        file::parse(name, text)
    }

    /// Whether it can run on so many CPUs.
    ///
    /// # Errors
    /// The group that cannot, and why.
    pub fn fits(&self, cpus: usize) -> Result<(), String> {
        for group in &self.groups {
            let Affinity::On(these) = &group.on else { continue };
            if let Some(cpu) = these.iter().find(|cpu| **cpu >= cpus) {
                let Self { name, .. } = self;
                return Err(format!("{name}: group.{}.on: no CPU {cpu} of {cpus}", group.name));
            }
        }
        let threads: usize = self.groups.iter().map(|group| group.threads(cpus)).sum();
        if threads > MOST_THREADS {
            return Err(format!("{}: {threads} threads, {MOST_THREADS} at most", self.name));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
