//! The steps that boot the kernel on few CPUs and on many: stress tests in mode `insns`, and a boot in mode `tcg` by either APIC.
//!
//! A boot is a line of `./x`, read as if somebody had typed it; a failure shows that line.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Result, bail};
use runner::{Mode, Request};

use super::heard::{Heard, hear};
use super::kernel;
use super::side_by_side;
use super::steps::{Done, Step, step};
use crate::cli::{self, Verb};
use crate::{again, guest, run};

/// Numbers of CPUs, the slowest first, and the stress tests that run there in mode `insns`: those of ring 3 know few CPUs.
const STRESS: [(u32, &[&str]); 5] = [
    (255, &["stress", "kernel"]),
    (64, &["stress", "kernel"]),
    (16, &["stress"]),
    (2, &["stress"]),
    (1, &["stress"]),
];
/// Numbers of CPUs that the kernel boots on in mode `tcg`.
const BOOTS: [u32; 6] = [1, 2, 4, 16, 64, 255];
/// Those that only x2APIC can tell apart: as many as the usual kernel has room for, and more.
const FURTHER: [u32; 2] = [256, 300];
/// What runs there: before a benchmark each CPU answers a call. (What keeps all of them busy takes minutes where the host has
/// fewer.)
const CALL: &[&str] = &["bench", "kernel/switch"];
/// The APICs, as the kernel says them.
const XAPIC: &str = "xAPIC";
const X2APIC: &str = "x2APIC";

/// The steps.
pub fn steps() -> Vec<Step> {
    vec![
        step(
            "smp-insns",
            "stress tests on 1, 2, 16, 64 and 255 CPUs in mode insns (on 4: step stress)",
            || {
                let Some(qemu) = kernel::of_path()? else { return Ok(Done::default()) };
                let boots =
                    STRESS.map(|(cpus, what)| Boot::of(cpus, what, Mode::Insns, &qemu, XAPIC));
                all(boots)
            },
        ),
        step(
            "smp-xapic",
            "the kernel boots on 1 to 255 CPUs in mode tcg, by xAPIC, on the QEMU of PATH",
            || {
                let Some(qemu) = kernel::of_path()? else { return Ok(Done::default()) };
                all(BOOTS.map(|cpus| Boot::of(cpus, CALL, Mode::Tcg, &qemu, XAPIC)))
            },
        ),
        step(
            "smp-x2apic",
            "the same by x2APIC on the newest QEMU, and on 256 and 300 CPUs",
            || {
                let Some(qemu) = kernel::newest()? else {
                    return Ok(Done::skipped("this system has no newer QEMU to unpack"));
                };
                let numbers = BOOTS.into_iter().chain(FURTHER);
                all(numbers.map(|cpus| Boot::of(cpus, CALL, Mode::Tcg, &qemu, X2APIC)))
            },
        ),
    ]
}

/// A line of `./x`, and what comes of it.
struct Boot {
    request: Request,
    /// The APIC that the kernel must find.
    apic: &'static str,
    /// The line.
    again: String,
}

impl Boot {
    /// The boot of a quick run of `what`.
    fn of(cpus: u32, what: &[&str], mode: Mode, qemu: &Path, apic: &'static str) -> Result<Self> {
        let cpus = cpus.to_string();
        let options = ["--quick", "--smp", &cpus, "--mode", mode.name(), "--qemu"];
        let words = ["./x"].iter().chain(what).chain(&options).map(OsString::from);
        let xapic = (apic == XAPIC).then(|| "--xapic".into());
        let args = match cli::parse_from(words.chain([qemu.into()]).chain(xapic)) {
            Ok(verb) => verb,
            Err((refusal, _)) => bail!(refusal),
        };
        let (verb, run) = match &args {
            Verb::Stress(args) => ("stress", args.as_run()),
            Verb::Bench(args) => ("bench", args.run.as_run("bench")),
            _ => bail!("this verb boots nothing here"),
        };
        let request = guest::request(run.machine, run.seed, run::words(&run))?;
        let again = again::line(verb, run.choice, run.machine, run.output.quick, run.seed);
        Ok(Self { request, apic, again })
    }

    /// How it is called.
    fn name(&self) -> String {
        let Request { cpus, mode, .. } = &self.request;
        format!("{cpus} CPUs, {mode}, {}", self.apic)
    }

    /// Boots, and listens to the end.
    fn hear(&self) -> Result<Heard> {
        hear(&self.request, &self.name())
    }

    /// Counts each test, that all CPUs came up by the right APIC, and the end.
    fn judge(&self, heard: &Heard, done: &mut Done) {
        let (key, failed) = (&heard.collected.key, done.failed);
        heard.count(done);
        let right = key.cpus == u64::from(self.request.cpus) && key.apic == self.apic;
        done.count(right);
        if !right {
            let found = format!("{} CPUs by {}", key.cpus, key.apic);
            done.output.push_str(&format!("{}: the kernel came up on {found}\n", self.name()));
        }
        if done.failed > failed {
            done.output.push_str(&format!("    QEMU {}; again: {}\n", key.qemu, self.again));
        }
        if !done.note.contains(&key.qemu) {
            done.note = format!("QEMU {}", key.qemu);
        }
    }
}

/// Boots all: side by side in mode `insns`; any other leaves no core of the host free.
fn all(boots: impl IntoIterator<Item = Result<Boot>>) -> Result<Done> {
    let boots = boots.into_iter().collect::<Result<Vec<_>>>()?;
    let heard = if boots.iter().all(|boot| boot.request.mode == Mode::Insns) {
        side_by_side::map(&boots, Boot::hear)
    } else {
        boots.iter().map(Boot::hear).collect()
    };
    let mut done = Done::default();
    for (boot, heard) in boots.iter().zip(heard) {
        boot.judge(&heard?, &mut done);
    }
    Ok(done)
}
