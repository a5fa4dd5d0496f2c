//! A machine of virtual CPUs that drives the kernel's own decisions: each CPU has a clock, a [`Scheduler`], a
//! [`Doorbell`] and [`Ring`]s, and threads that do what a workload's file says.
//!
//! Law: who runs next, who is woken, whether a doorbell rings is decided by `lwkt-sched` and `ipiq`, never here; what a
//! decision costs is a figure of the kernel's benchmarks ([`Costs`]). Events are ordered by time, CPU and number, and all
//! chance comes of the seed: the same run gives the same report, byte for byte.
//!
//! Read `workload`, then `machine`, `machine/paths`, `machine/life`. What it counts is held against a kernel's: [`against`].
//!
//! [`Scheduler`]: lwkt_sched::Scheduler
//! [`Doorbell`]: ipiq::doorbell::Doorbell
//! [`Ring`]: ipiq::Ring
#![deny(unsafe_code)]

pub mod against;
pub mod costs;
pub mod digest;
mod ground;
pub mod json;
mod machine;
mod measure;
pub mod options;
pub mod table;
pub mod workload;

pub use self::workload::Workload;
pub use costs::Costs;
pub use measure::{Group, Report, Wakes};

use std::marker::PhantomData;

use ipiq::knocking::{self, Knocking};
use lwkt_sched::{RunQueue, queue};

use machine::Machine;

/// The circumstances of a run, beside workload and costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Virtual CPUs, from 1 to [`percpu::MAX_CPUS`].
    pub cpus: usize,
    /// The seed of all chance.
    pub seed: u64,
    /// What runs at the same time.
    pub streams: Streams,
}

/// Which of the kernel's policies decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policies<'a> {
    /// The run queue's name: who is next.
    pub runq: &'a str,
    /// The doorbell's: who is interrupted.
    pub ipi: &'a str,
}

impl Policies<'static> {
    /// What a kernel has that nobody asked anything of.
    pub fn usual() -> Self {
        Self::of(queue::NAMES[0])
    }
}

impl<'a> Policies<'a> {
    /// This run queue, and the usual doorbell.
    pub fn of(runq: &'a str) -> Self {
        Self { runq, ipi: knocking::NAMES[0] }
    }
}

/// Whether CPUs execute at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streams {
    /// They do: a machine.
    Each,
    /// Their kernel paths come one after the other, and an interrupt is there at once: QEMU's mode `insns`. Threads' own work
    /// takes no instructions there (`bench-play`), and goes on on all CPUs.
    One,
}

/// A run under policies: what it rests on, and what it found.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    /// Which they were.
    pub policies: Policies<'a>,
    /// What a step cost.
    pub costs: Costs,
    /// What it found.
    pub report: Report,
}

struct Plan<'a> {
    workload: &'a Workload,
    costs: &'a Costs,
    setting: Setting,
    ipi: &'a str,
}

impl queue::Use for Plan<'_> {
    type Result = Result<Report, String>;

    fn with<Q: RunQueue>(self) -> Self::Result {
        let ipi = self.ipi;
        let report = knocking::by_name(ipi, Queued::<Q>(self, PhantomData));
        report.ok_or_else(|| unknown("doorbell", ipi, knocking::NAMES))
    }
}

/// The same, with a run queue.
struct Queued<'a, Q>(Plan<'a>, PhantomData<Q>);

impl<Q: RunQueue> knocking::Use for Queued<'_, Q> {
    type Result = Report;

    fn with<K: Knocking>(self) -> Report {
        let Plan { workload, costs, setting, .. } = self.0;
        Machine::<Q, K>::boot(workload, costs, setting).run()
    }
}

fn unknown(what: &str, name: &str, names: &[&str]) -> String {
    format!("no {what} is called {name}; there are {}", names.join(", "))
}

/// Runs a workload with the policies of these names.
///
/// # Errors
/// The workload does not fit the machine, or nothing has a name: a line that says so.
pub fn run(
    Policies { runq, ipi }: Policies<'_>,
    workload: &Workload,
    costs: &Costs,
    setting: Setting,
) -> Result<Report, String> {
    workload.fits(setting.cpus)?;
    queue::by_name(runq, Plan { workload, costs, setting, ipi })
        .unwrap_or_else(|| Err(unknown("run queue", runq, queue::NAMES)))
}
