//! The command line: what there is, what it means, and one clear line when it makes no sense.

mod machine;
mod sim;
mod values;

pub use sim::SimArgs;
pub use values::{MOST_SHARDS, Shard};

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use runner::Mode;
use servers::options::{Idle, Plant};

use crate::run::Run;
use crate::settings::Axis;
use crate::{Status, out};
use values::{existing_file, filter, known_faults, program, reason, seeds, shard};

const EXAMPLES: &str = "\
Examples:
  ./x run                         build, benchmarks and stress tests on 4 CPUs; then 64, then simulated ones
  ./x bench ipi                   benchmarks whose name holds `ipi`
  ./x bench --list                what there is to measure
  ./x bench kernel/switch --why   where the instructions of one switch go
  ./x stress storm --seeds 1..100 one stress test under 100 interleavings
  ./x stress --plant lost-wake    a bug on purpose: which tests see it, and what they say
  ./x run --mode tcg --smp 16     16 CPUs, emulated in parallel: wall cycles, not a claim
  ./x bench scale --full          how figures grow from 1 to 255 CPUs; --full=2,64 for some of them
  ./x bench --set runq=bitmap,list   each policy by itself, then side by side
  ./x trace port_do -o t.json     what happens on each CPU, as a timeline for ui.perfetto.dev
  ./x sim web --cpus 64           a workload on 64 virtual CPUs, each run queue a column
  ./x sim web --kernel            the same on the kernel: both count the same
  ./x boot -- -d int              the kernel in this terminal, QEMU logging interrupts
  ./x boot --gdb                  the same, waiting for a debugger
  ./x test                        everything that must hold; what continuous integration runs

Modes: `insns` counts executed instructions exactly and repeatably, summed over all CPUs; `tcg` is
emulation in parallel, `kvm` real silicon where it works. Only like is compared with like.

Exit status: 0 passed, 1 a test failed, 2 the command line makes no sense,
3 the kernel did not build, boot or end, 4 worse than the baseline, 130 Ctrl-C.
A missed goal changes none.";

/// Damselfly: boot it, measure it, stress it, change one thing, run it again.
#[derive(Debug, Parser)]
#[command(name = "./x", bin_name = "./x", version, after_help = EXAMPLES, max_term_width = 100, disable_help_subcommand = true)]
#[command(
    subcommand_required = true,
    subcommand_value_name = "VERB",
    subcommand_help_heading = "Verbs"
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,

    /// Install what is missing without asking.
    #[arg(long, global = true)]
    yes: bool,

    /// Install nothing; print what to type instead.
    #[arg(long, global = true, conflicts_with = "yes")]
    no_install: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run the kernel's benchmarks and stress tests; then messages to 64 CPUs, and run queues on simulated ones.
    Run(RunArgs),
    /// Test everything: on the host, in models, in the kernel.
    Test(TestArgs),
    /// Run benchmarks in the kernel; figures beside their goals.
    Bench(BenchArgs),
    /// Run stress tests in the kernel, under one interleaving or many.
    Stress(StressArgs),
    /// Run a benchmark or stress test and write what happened on each CPU as a timeline, for Perfetto.
    Trace(TraceArgs),
    /// Run a workload on virtual CPUs, with the kernel's own schedulers: policies side by side.
    Sim(SimArgs),
    /// Boot the kernel in this terminal, as text.
    Boot(BootArgs),
    /// Say what this machine has, what is missing, and what to type.
    Doctor(DoctorArgs),
}

/// How the kernel is built and booted.
#[derive(Args, Clone, Debug)]
pub struct Machine {
    /// Virtual CPUs, 1 to 1024. Above 255 QEMU must have x2APIC; above 256 the kernel is built with more room.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub smp: u32,

    /// How QEMU executes, and so what its figures mean.
    #[arg(long, value_name = "insns|tcg|kvm", default_value_t)]
    pub mode: Mode,

    /// QEMU to use, a path or a name in PATH.
    #[arg(long, value_name = "PATH", default_value = "qemu-system-x86_64")]
    pub qemu: PathBuf,

    /// Boot this kernel instead of building one.
    #[arg(long, value_name = "FILE", value_parser = existing_file)]
    pub image: Option<PathBuf>,

    /// Offer xAPIC only, also where QEMU has x2APIC.
    #[arg(long)]
    pub xapic: bool,

    /// Have this go wrong on purpose, to see what it looks like: an end of the kernel (panic, triple, hang,
    /// silent, deadlock, overflow; misuse of a lock with --set checks=on), a clock that is ahead, a CPU that starts late or never, or a bug that stress tests find. An unknown name lists them all.
    #[arg(long, value_name = "NAME", hide_possible_values = true, value_parser = Plant::ALL.map(|(name, _)| name))]
    pub plant: Option<String>,

    /// Of the faults of a kernel that was built with --set faults=on, let only these strike: ring, doorbell, wake, memory, timer, park.
    #[arg(long, value_name = "NAME,..", value_parser = known_faults)]
    pub faults: Option<String>,

    /// What a CPU does that has nobody to run: halt, watch its doorbell by mwait, or look at it over and over.
    #[arg(long, value_name = "hlt|mwait|spin", hide_possible_values = true, value_parser = Idle::ALL.map(|(name, _)| name))]
    pub idle: Option<String>,

    /// Choose among policies that are built in; several values, or several of these, make a run for each
    /// combination. An unknown key lists them all.
    #[arg(long = "set", value_name = "KEY=NAME,..", value_parser = Axis::parse)]
    pub set: Vec<Axis>,

    /// Show more: the kernel's log, what programs write, QEMU's own words.
    #[arg(short, long)]
    pub verbose: bool,

    /// Arguments for QEMU.
    #[arg(last = true, value_name = "QEMU ARGS")]
    pub extra: Vec<OsString>,
}

/// Which of many.
#[derive(Args, Clone, Debug)]
pub struct Choice {
    /// Only those whose name holds this, or one of several with commas between.
    #[arg(value_name = "FILTER", value_parser = filter)]
    pub filter: Option<String>,

    /// Print the names, run nothing.
    #[arg(long)]
    pub list: bool,
}

/// The seed of one run.
#[derive(Args, Clone, Debug)]
pub struct Seed {
    /// Seed of everything drawn at random, in QEMU and in the kernel.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// What to print, and where to.
#[derive(Args, Clone, Debug)]
pub struct Output {
    /// Write the records as JSON lines to this file, `-` for standard output.
    #[arg(long, value_name = "FILE|-")]
    pub json: Option<PathBuf>,

    /// Few samples and steps: quick, and not for comparison.
    #[arg(long)]
    pub quick: bool,
}

/// What to show of benchmarks.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Rows {
    /// All rows, not only those with a goal at stake.
    #[arg(long)]
    pub all: bool,

    /// Explain each figure: where the instructions of one iteration go, by function and line.
    #[arg(long)]
    pub why: bool,
}

/// What earlier figures to hold against these.
#[derive(Args, Clone, Debug)]
pub struct Baseline {
    /// Compare with the committed baseline; ends with 4 when worse.
    #[arg(long, conflicts_with = "bless")]
    pub baseline: bool,

    /// Make these figures the baseline, and write down why.
    #[arg(long, value_name = "REASON", value_parser = reason)]
    pub bless: Option<String>,
}

impl Baseline {
    /// Whether anybody asked; figures are shown beside the accepted ones in any case.
    pub fn is_asked(&self) -> bool {
        self.baseline || self.bless.is_some()
    }
}

/// `./x run`
#[derive(Args, Debug)]
pub struct RunArgs {
    #[command(flatten)]
    pub choice: Choice,
    #[command(flatten)]
    pub machine: Machine,
    #[command(flatten)]
    pub seed: Seed,
    #[command(flatten)]
    pub output: Output,
    #[command(flatten)]
    pub rows: Rows,
    #[command(flatten)]
    pub baseline: Baseline,
}

impl RunArgs {
    /// The run of these parts.
    pub fn as_run<'a>(&'a self, parts: &'a str) -> Run<'a> {
        Run {
            parts,
            choice: &self.choice,
            machine: &self.machine,
            seed: self.seed.seed,
            output: &self.output,
            rows: self.rows,
            baseline: Some(&self.baseline),
            timeline: None,
        }
    }
}

/// `./x bench`
#[derive(Args, Debug)]
pub struct BenchArgs {
    #[command(flatten)]
    pub run: RunArgs,

    /// On this host instead: the same code and its peers in one process, on real silicon.
    #[arg(long, conflicts_with_all = [
        "smp", "mode", "qemu", "image", "xapic", "plant", "faults", "idle", "set", "extra", "seed", "why", "baseline", "bless",
    ])]
    pub hosted: bool,

    /// On each of these numbers of CPUs, 1 to 255: how figures for which that matters grow. Takes minutes; what there is is shown
    /// at Ctrl-C, too.
    #[arg(
        long, value_name = "N,..", num_args = 0..=1, require_equals = true, value_delimiter = ',',
        default_missing_value = "1,2,4,8,16,32,64,128,255",
        value_parser = clap::value_parser!(u32).range(1..=255),
        conflicts_with_all = ["smp", "why", "baseline", "bless", "list", "hosted"],
    )]
    pub full: Vec<u32>,
}

/// `./x stress`
#[derive(Args, Debug)]
pub struct StressArgs {
    #[command(flatten)]
    pub choice: Choice,
    #[command(flatten)]
    pub machine: Machine,
    #[command(flatten)]
    pub seed: Seed,

    /// Many seeds, one boot each, on all host cores.
    #[arg(long, value_name = "A..B", value_parser = seeds, conflicts_with = "seed")]
    pub seeds: Option<RangeInclusive<u64>>,

    /// Of these seeds, part I of N.
    #[arg(long, value_name = "I/N", value_parser = shard, requires = "seeds")]
    pub shard: Option<Shard>,

    #[command(flatten)]
    pub output: Output,
}

impl StressArgs {
    /// The run of one seed.
    pub fn as_run(&self) -> Run<'_> {
        Run {
            parts: "stress",
            choice: &self.choice,
            machine: &self.machine,
            seed: self.seed.seed,
            output: &self.output,
            rows: Rows::default(),
            baseline: None,
            timeline: None,
        }
    }
}

/// `./x trace`
#[derive(Args, Debug)]
pub struct TraceArgs {
    /// The benchmarks and stress tests whose name holds this.
    #[arg(value_name = "BENCH|STRESS", value_parser = filter)]
    pub filter: String,

    /// Write the timeline to this file instead of `timeline.json` beside the kernel.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    #[command(flatten)]
    pub machine: Machine,
    #[command(flatten)]
    pub seed: Seed,

    /// Few samples and steps. A log keeps the last events, so much more than it holds need not happen.
    #[arg(long)]
    pub quick: bool,
}

/// `./x boot`
#[derive(Args, Debug)]
pub struct BootArgs {
    /// Run this program of userland/programs instead of the benchmarks.
    #[arg(value_name = "PROGRAM", value_parser = program)]
    pub program: Option<String>,

    #[command(flatten)]
    pub machine: Machine,
    #[command(flatten)]
    pub seed: Seed,

    /// Wait for a debugger before the first instruction; prints what to type into it.
    #[arg(long)]
    pub gdb: bool,
}

/// `./x test`
#[derive(Args, Debug)]
pub struct TestArgs {
    #[command(flatten)]
    pub choice: Choice,

    /// Show what the steps print, also when they pass.
    #[arg(short, long)]
    pub verbose: bool,
}

/// `./x doctor`
#[derive(Args, Debug)]
pub struct DoctorArgs {
    /// QEMU to look at, a path or a name in PATH.
    #[arg(long, value_name = "PATH", default_value = "qemu-system-x86_64")]
    pub qemu: PathBuf,
}

/// The command line; on nonsense, the line that says so has been printed.
pub fn parse() -> Result<Verb, Status> {
    parse_from(std::env::args_os()).map_err(|(text, status)| {
        if status == Status::Passed {
            out::text(format_args!("{text}"));
        } else {
            crate::complain!("{text}")
        }
        status
    })
}

/// The verb of these words, or what to print and how to end.
pub fn parse_from(words: impl IntoIterator<Item = OsString>) -> Result<Verb, (String, Status)> {
    Cli::try_parse_from(words).map(|cli| cli.verb).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            (error.render().to_string(), Status::Passed)
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => (
            "x: which verb? run, test, bench, stress, trace, sim, boot or doctor (./x --help)"
                .to_owned(),
            Status::Usage,
        ),
        _ => (one_line(&error.render().to_string()), Status::Usage),
    })
}

/// clap's paragraphs in one line: the fault, then the tip, without the usage.
fn one_line(rendered: &str) -> String {
    let kept: Vec<&str> = rendered
        .split("\n\nUsage:")
        .next()
        .unwrap_or_default()
        .split("\n\nFor more information")
        .next()
        .unwrap_or_default()
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let line = kept.join("; ").replace(":;", ":").replace("; [possible values:", " [there are:");
    format!("x: {} (./x --help)", line.trim_start_matches("error: "))
}

#[cfg(test)]
mod tests;
