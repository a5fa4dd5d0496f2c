//! What a step of a kernel path costs: instructions that the kernel's benchmarks counted, one nanosecond each.
//!
//! | cost | of the benchmarks (each by its operations) |
//! |---|---|
//! | `switch` | `kernel/switch` |
//! | `wake` | `kernel/block_wake` - `kernel/switch` |
//! | `message` | (`kernel/port_do` - 2 `kernel/block_wake`) / 2: a message, or its reply, queued and taken |
//! | `send` | `ipi/push_pop`: into the ring, and out of it on the other side |
//! | `enter` | `ipi/one_way` - `ipi/push_pop` - [`RING`]: into the handler, and the look at the doorbell |
//! | `leave` | (`ipi/round_trip` - 2 `ipi/one_way`) / 2: out of the handler |
//! | `idle` | `ipi/remote_ack_idle` - `ipi/remote_ack`: out of the halt, and into it again |
//!
//! The first three are the run queue's, the others the doorbell's. A policy costs what a kernel with it needs, if such a baseline is
//! there (`./x bench --set runq=NAME --bless 'why'`); if not, what the default needs: the file says which. A timer's handler is entered and left like the doorbell's. What no
//! benchmark measures is declared below.

use std::path::Path;

use bench_report::Baseline;

use crate::Policies;

/// Writing to the interrupt controller: no benchmark ends between that and the interrupt.
pub const RING: u64 = 15;
/// From there to the target's first instruction. Nothing that counts instructions sees it.
pub const FLIGHT: u64 = 500;
/// Between two looks whether a full ring has room.
pub const PAUSE: u64 = 100;
/// The time after which a running thread is asked to give way, while others wait for its CPU.
pub const TICK: u64 = 10_000_000;

/// The declared ones, as they are printed.
pub const DECLARED: [(&str, u64); 4] =
    [("ring", RING), ("flight", FLIGHT), ("pause", PAUSE), ("tick", TICK)];

/// Accepted figures, and the file that they are in.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The file, to be shown.
    pub file: String,
    /// What is in it.
    pub baseline: Baseline,
    /// The policy whose they are: the one that was asked for, if it has any.
    pub policy: String,
}

/// Where costs come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The key of the figures.
    pub key: String,
    /// The file that they are in.
    pub file: String,
    /// The policy whose they are.
    pub policy: String,
}

/// What a policy does costs what a kernel with it needs.
struct Sources<'a> {
    threads: &'a Accepted,
    doorbell: &'a Accepted,
}

macro_rules! costs {
    ($($(#[$doc:meta])* $name:ident of $whose:ident: $formula:expr,)+) => {
        /// What each step costs, in nanoseconds, and by whose figures.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Costs {
            /// The figures of what is done with threads.
            pub threads: Origin,
            /// Those of messages between CPUs.
            pub doorbell: Origin,
            $($(#[$doc])* pub $name: u64,)+
        }

        impl Costs {
            /// By the figures of a kernel with the run queue, and of one with the doorbell.
            ///
            /// # Errors
            /// The file, and the benchmark that has no figure in instructions in it, or the cost that comes out below zero.
            pub fn of(threads: &Accepted, doorbell: &Accepted) -> Result<Self, String> {
                let sources = Sources { threads, doorbell };
                Ok(Self {
                    threads: threads.origin(),
                    doorbell: doorbell.origin(),
                    $($name: {
                        let formula: fn(&Figures<'_>) -> Result<f64, String> = $formula;
                        let Accepted { file, baseline, .. } = sources.$whose;
                        let cost = formula(&Figures(baseline));
                        cost.and_then(|cost| whole(stringify!($name), cost))
                            .map_err(|why| format!("{file}: {why}"))?
                    },)+
                })
            }

            /// Each with its name.
            pub fn each(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name)),+]
            }
        }
    };
}

costs! {
    /// A switch to another thread of the CPU.
    switch of threads: |of| of.per_op("kernel/switch"),
    /// Waking a thread of the CPU, and its wait before.
    wake of threads: |of| Ok(of.per_op("kernel/block_wake")? - of.per_op("kernel/switch")?),
    /// A message, or its reply, queued and taken.
    message of threads: |of| Ok(of.per_op("kernel/port_do")? / 2.0 - of.per_op("kernel/block_wake")?),
    /// A call into a ring and out of it.
    send of doorbell: |of| of.per_op("ipi/push_pop"),
    /// Into a handler.
    enter of doorbell: |of| Ok(of.per_op("ipi/one_way")? - of.per_op("ipi/push_pop")? - RING as f64),
    /// Out of a handler.
    leave of doorbell: |of| Ok(of.per_op("ipi/round_trip")? / 2.0 - of.per_op("ipi/one_way")?),
    /// Out of the halt and into it again.
    idle of doorbell: |of| Ok(of.per_op("ipi/remote_ack_idle")? - of.per_op("ipi/remote_ack")?),
}

struct Figures<'a>(&'a Baseline);

impl Figures<'_> {
    fn per_op(&self, bench: &str) -> Result<f64, String> {
        match self.0.figures.get(bench) {
            Some(figure) if figure.unit == "insns" && figure.ops != 0 => {
                Ok(figure.value as f64 / figure.ops as f64)
            }
            Some(figure) => Err(format!("{bench} counts {}, not instructions", figure.unit)),
            None => Err(format!("the baseline has no figure of {bench}, which a cost comes of")),
        }
    }
}

fn whole(name: &str, cost: f64) -> Result<u64, String> {
    let rounded = cost.round();
    if (0.0..1e9).contains(&rounded) {
        Ok(rounded as u64)
    } else {
        Err(format!("the cost '{name}' comes out as {cost}"))
    }
}

impl Accepted {
    fn origin(&self) -> Origin {
        Origin {
            key: self.baseline.run.baseline_name(),
            file: self.file.clone(),
            policy: self.policy.clone(),
        }
    }

    /// Reads a baseline of instructions: of a kernel with this policy of a key, unless it says that it had another.
    ///
    /// # Errors
    /// The file, and what is wrong with it, in a line.
    pub fn read(path: &Path, key: &str, usual: &str) -> Result<Self, String> {
        let file = path.display().to_string();
        let named = |why: String| format!("{file}: {why}");
        let bytes = std::fs::read(path).map_err(|error| named(error.to_string()))?;
        let baseline: Baseline = serde_json::from_slice(&bytes)
            .map_err(|error| named(format!("not a baseline: {error}")))?;
        if baseline.run.mode != "insns" {
            return Err(named(format!("figures in mode {}, not insns", baseline.run.mode)));
        }
        let mut said = baseline.run.settings.split_whitespace();
        let policy = said.find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        let policy = policy.unwrap_or(usual).to_owned();
        Ok(Self { file, baseline, policy })
    }
}

impl Costs {
    /// The costs of policies by the file of a baseline, or by the last that is in a folder of them; for each policy by the one
    /// beside it that is of that, if there is one.
    ///
    /// # Errors
    /// The file, and what is wrong with it, in a line.
    pub fn read(path: &Path, Policies { runq, ipi }: Policies<'_>) -> Result<Self, String> {
        let usual = if path.is_dir() { last_in(path)? } else { path.to_owned() };
        let stem = usual.file_stem().unwrap_or_default().to_string_lossy();
        let of = |key: &str, name: &str, usual_name: &str| {
            let own = usual.with_file_name(format!("{stem}_{key}={name}.json"));
            Accepted::read(if own.is_file() { &own } else { &usual }, key, usual_name)
        };
        let Policies { runq: queue, ipi: doorbell } = Policies::usual();
        Self::of(&of("runq", runq, queue)?, &of("ipi", ipi, doorbell)?)
    }
}

/// The last baseline by name of those for which nothing special was asked: their names end with the number of CPUs.
fn last_in(folder: &Path) -> Result<std::path::PathBuf, String> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let usual = |path: &std::path::PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        name.is_some_and(|name| name.ends_with("_smp4.json"))
    };
    let files = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(usual);
    files.max().ok_or_else(|| format!("{}: no baseline of 4 CPUs in it", folder.display()))
}
