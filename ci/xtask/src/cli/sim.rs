//! The words of `./x sim`.

use std::path::PathBuf;

use clap::Args;

use super::Seed;
use super::values::existing_file;
use crate::settings::Axis;

/// `./x sim`
#[derive(Args, Debug)]
pub struct SimArgs {
    /// A workload that ships, by its name, or a file NAME.toml; `all` of them in short.
    #[arg(value_name = "WORKLOAD", required_unless_present = "list")]
    pub workload: Option<PathBuf>,

    /// Print the workloads that ship, run nothing.
    #[arg(long)]
    pub list: bool,

    /// Virtual CPUs, 1 to 1024; 4 without it. With --kernel 1, 4 and 16, one after the other.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub cpus: Option<u32>,

    /// Have the kernel play the workload too, and hold what both counted against one another.
    #[arg(long, requires = "workload", conflicts_with_all = ["json", "list"])]
    pub kernel: bool,

    /// QEMU to have the kernel play on, a path or a name in PATH; qemu-system-x86_64 without it.
    #[arg(long, value_name = "PATH", requires = "kernel")]
    pub qemu: Option<PathBuf>,

    /// Jobs of each thread that gets no requests: when they are done, the workload is over. With --kernel 100 without it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub jobs: Option<u64>,

    /// All times of the workload are so many times as long. With --kernel 10 without it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub stretch: Option<u64>,

    /// Only these run queues (all without it), and each with these doorbells (the usual one without it): runq=NAME,..
    /// and ipi=NAME,.. With --kernel it is the usual one of each without it.
    #[arg(long = "set", value_name = "KEY=NAME,..", value_parser = Axis::parse_simulated)]
    pub set: Vec<Axis>,

    #[command(flatten)]
    pub seed: Seed,

    /// Take costs from this baseline instead of the last in bench/baselines.
    #[arg(long, value_name = "FILE", value_parser = existing_file)]
    pub costs: Option<PathBuf>,

    /// Write the figures as JSON lines to this file, `-` for standard output.
    #[arg(long, value_name = "FILE|-")]
    pub json: Option<PathBuf>,
}
