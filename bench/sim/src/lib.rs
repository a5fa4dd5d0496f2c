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

use lwkt_sched::RunQueue;
use lwkt_sched::queue::{self, Use};

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

/// Whether CPUs execute at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streams {
    /// They do: a machine.
    Each,
    /// Their kernel paths come one after the other, and an interrupt is there at once: QEMU's mode `insns`. Threads' own work
    /// takes no instructions there (`bench-play`), and goes on on all CPUs.
    One,
}

/// A run under one policy: what it rests on, and what it found.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    /// The run queue's name.
    pub policy: &'a str,
    /// What a step cost.
    pub costs: Costs,
    /// What it found.
    pub report: Report,
}

struct Plan<'a> {
    workload: &'a Workload,
    costs: &'a Costs,
    setting: Setting,
}

impl Use for Plan<'_> {
    type Result = Report;

    fn with<Q: RunQueue>(self) -> Report {
        machine::Machine::<Q>::boot(self.workload, self.costs, self.setting).run()
    }
}

/// Runs a workload with the run queue of this name.
///
/// # Errors
/// The workload does not fit the machine, or no run queue has the name: a line that says so.
pub fn run(
    policy: &str,
    workload: &Workload,
    costs: &Costs,
    setting: Setting,
) -> Result<Report, String> {
    workload.fits(setting.cpus)?;
    queue::by_name(policy, Plan { workload, costs, setting }).ok_or_else(|| {
        format!("no run queue is called {policy}; there are {}", queue::NAMES.join(", "))
    })
}
