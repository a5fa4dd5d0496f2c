//! What a workload is. How its file says so: `bench/sim/src/workload.rs`.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

/// The longest time that a workload may name, in nanoseconds: an hour. A sum of many is no overflow.
pub const LONGEST: u64 = 3_600_000_000_000;
/// The largest window of unanswered requests.
pub const MOST_WINDOW: u64 = 10_000;
/// The priorities that a thread may have.
pub const PRIORITIES: RangeInclusive<u8> = 1..=31;
/// More threads than anybody waits for.
const MOST_THREADS: usize = 100_000;

/// A part of all: so many of 2³².
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(pub u32);

/// A distribution of times, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        /// How many of all are long.
        share: Share,
    },
}

impl Time {
    fn each(&mut self, f: impl Fn(&mut u64)) {
        match self {
            Self::Fixed(time) | Self::Exponential(time) => f(time),
            Self::Bimodal { short, long, .. } => {
                f(short);
                f(long);
            }
        }
    }
}

/// How a thread gets its jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// Over all CPUs; may go, or be moved, where the workload says so.
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// How many.
    pub count: Count,
    /// One of [`PRIORITIES`].
    pub priority: u8,
    /// Where.
    pub on: Affinity,
    /// Where jobs come from.
    pub source: Source,
    /// Before how many of its jobs a thread goes to a CPU that chance chooses, if it does so at all.
    pub go: Option<Share>,
    /// CPU time of a job.
    pub service: Time,
    /// Requests after the service.
    pub send: Option<Send>,
    /// A barrier after that.
    pub barrier: Barrier,
    /// Sleep after that.
    pub sleep: Option<Time>,
    /// Whether it asks other CPUs for threads after the service.
    pub pull: Pull,
}

impl Group {
    /// How many threads there are on so many CPUs.
    pub fn threads(&self, cpus: usize) -> usize {
        match self.count {
            Count::Total(count) => count,
            Count::PerCpu(count) => count.saturating_mul(cpus),
        }
    }

    /// Whether its threads may go elsewhere before a job: then nobody may have sent them anything that could come after them.
    pub fn may_go(&self) -> bool {
        let alone = self.send.is_none_or(|send| send.window == 1);
        self.on == Affinity::Spread && self.source != Source::Requests && alone
    }

    /// The CPU on which thread `index` begins.
    pub fn cpu_of(&self, index: usize, cpus: usize) -> usize {
        match &self.on {
            Affinity::Spread => index % cpus,
            Affinity::On(these) => these[index % these.len()],
        }
    }
}

/// Whether a thread asks other CPUs for threads that wait for their turn there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pull {
    /// It asks nobody.
    Never,
    /// After each job, another CPU that chance chooses.
    Any,
}

/// What a workload file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// What it is called: the file's name.
    pub name: String,
    /// One sentence.
    pub about: String,
    /// It is over after so many nanoseconds, at the latest.
    pub duration: u64,
    /// It is over when each thread that nobody sends requests to has done so many jobs; without it, when its time is.
    pub jobs: Option<u64>,
    /// In order of names.
    pub groups: Vec<Group>,
}

impl Workload {
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
        let threads =
            self.groups.iter().fold(0usize, |sum, group| sum.saturating_add(group.threads(cpus)));
        if threads > MOST_THREADS {
            return Err(format!("{}: {threads} threads, {MOST_THREADS} at most", self.name));
        }
        Ok(())
    }

    /// Whether the threads of a group may be pulled to other CPUs.
    pub fn may_be_pulled(&self, group: &Group) -> bool {
        let pulled = self.groups.iter().any(|group| group.pull == Pull::Any);
        let may = group.on == Affinity::Spread && group.source != Source::Requests;
        pulled && may && group.pull == Pull::Never
    }

    /// A group whose requests lead back to it, if there is one: they could all wait for one another.
    pub fn circle(&self) -> Option<usize> {
        (0..self.groups.len()).find(|start| {
            let next = |at: &usize| self.groups[*at].send.map(|send| send.to);
            let way = core::iter::successors(next(start), next).take(self.groups.len());
            way.into_iter().any(|at| at == *start)
        })
    }

    /// The same with all its times so many times as long, an hour at most. How long it may take stays.
    #[must_use]
    pub fn stretched(mut self, factor: u64) -> Self {
        let longer = |time: &mut u64| *time = time.saturating_mul(factor).min(LONGEST);
        for group in &mut self.groups {
            if let Source::Arrivals(apart) = &mut group.source {
                apart.each(longer);
            }
            group.service.each(longer);
            group.sleep.iter_mut().for_each(|sleep| sleep.each(longer));
        }
        self
    }
}
