//! Where benchmarks run: the clock, the CPUs, the counters.

use crate::Counters;
use crate::wire::Record;

/// How the machine under the guest is run; decides what a tick is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Exact instructions, summed over all CPUs.
    Insns,
    /// Wall cycles of the emulator.
    Tcg,
    /// Wall cycles of the processor, virtualised.
    Kvm,
    /// Wall cycles of the processor, in a host process.
    Hosted,
}

impl Mode {
    /// The name on the command line and in records.
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Insns => "insns",
            Mode::Tcg => "tcg",
            Mode::Kvm => "kvm",
            Mode::Hosted => "hosted",
        }
    }

    /// The mode of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Mode::Insns, Mode::Tcg, Mode::Kvm, Mode::Hosted]
            .into_iter()
            .find(|mode| mode.name() == name)
    }

    /// What a tick is called in this mode.
    pub const fn tick(self) -> &'static str {
        match self {
            Mode::Insns => "insns",
            _ => "cycles",
        }
    }
}

/// An end of a window in which is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Edge {
    /// The window begins when the counters have been read.
    Opens,
    /// It has ended before they are.
    Closes,
}

/// What to run, and how.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// What a tick is.
    pub mode: Mode,
    /// Few samples: the benchmark as a test.
    pub quick: bool,
    /// Feeds every random choice.
    pub seed: u64,
    /// See [`matches`](crate::matches).
    pub filter: &'a str,
    /// Have whoever watches the machine write down the instructions of a few more samples ([`Env::path`]).
    pub why: bool,
    /// Only benchmarks for which the number of CPUs matters ([`Curve::Cpus`](crate::Curve::Cpus)).
    pub curves: bool,
}

/// The world under the benchmarks, resolved statically.
pub trait Env {
    /// The clock: the time stamp counter, fenced where the mode needs it.
    fn ticks() -> u64;
    /// CPUs that steps can run on, numbered from 0.
    fn cpus() -> usize;
    /// The CPU that runs this.
    fn cpu() -> usize;
    /// Starts a thread on `cpu` that calls `entry(arg)` once and ends; the caller does not wait.
    fn start(cpu: usize, entry: fn(usize), arg: usize);
    /// One turn of a wait: pauses, serves messages to this CPU, lets others run.
    fn relax();
    /// All counters, summed over the CPUs. What it takes to read them lies outside the window.
    fn counters(edge: Edge) -> Counters;
    /// Returns when the other CPUs have nothing left to do, so that no leftover work falls into a window.
    fn settle() {}
    /// Sends a [`Record::PathBegin`] or [`Record::PathEnd`] at once: what is executed between the two is written down. Not
    /// called unless [`Settings::why`] asks for it.
    fn path(_: &Record<'_>) {}
}

/// The same as function pointers, so that a benchmark's steps are not generic over the world.
pub(crate) struct World {
    pub ticks: fn() -> u64,
    pub cpus: fn() -> usize,
    pub cpu: fn() -> usize,
    pub start: fn(usize, fn(usize), usize),
    pub relax: fn(),
    pub counters: fn(Edge) -> Counters,
    pub settle: fn(),
    pub path: fn(&Record<'_>),
}

impl World {
    pub const fn of<E: Env>() -> Self {
        Self {
            ticks: E::ticks,
            cpus: E::cpus,
            cpu: E::cpu,
            start: E::start,
            relax: E::relax,
            counters: E::counters,
            settle: E::settle,
            path: E::path,
        }
    }
}
