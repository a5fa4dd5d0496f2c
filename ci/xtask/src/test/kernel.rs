//! The steps that boot the kernel: its own tests on several machines, benchmarks and stress tests as tests.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use bench_report::RunKey;
use runner::{Apic, Request, probe};

use super::heard::hear;
use super::steps::{Done, Step, step};
use crate::collect::Collected;
use crate::{build, place, settings};

/// On how many CPUs the kernel's tests run.
const CPUS: [u32; 4] = [1, 2, 4, 16];
/// Seeds of the stress tests.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=5;

/// The steps.
pub fn steps() -> Vec<Step> {
    vec![
        step("machine", "the smallest kernel's checks of traps, ring 3 and interrupts", || {
            let image = build::machine()?;
            let mut done = Done::default();
            for cpus in ["1", "4"] {
                let mut command = this_program()?;
                command.args(["boot", "--smp", cpus, "--image"]).arg(&image);
                let (fine, output) = super::steps::run(&mut command)?;
                done.count(fine);
                done.output.push_str(&output);
            }
            Ok(done)
        }),
        step(
            "kernel",
            "the kernel's tests on 1, 2, 4 and 16 CPUs, in each APIC mode, on the QEMU of PATH",
            || machines(of_path),
        ),
        step("kernel-newest", "the same on the newest QEMU (ci/newest-qemu.sh)", || {
            machines(newest)
        }),
        step("bench", "every benchmark runs, quickly", || {
            boot(&["run=bench", "quick"], 1, &mut Done::default())
        }),
        step(
            "variants",
            "all of the kernel's runs, quickly, with each policy but the usual ones",
            variants,
        ),
        step("stress", "every stress test, under five seeds", || {
            let mut done = Done::default();
            for seed in SEEDS {
                done = boot(&["run=stress"], seed, &mut done)?;
            }
            Ok(done)
        }),
    ]
}

/// A kernel of each variant, which says itself that it is one.
fn variants() -> Result<Done> {
    let mut done = Done::default();
    for variant in settings::unusual() {
        let mut request = Request::new(build::kernel(&[], &[variant])?);
        for parts in ["run=bench,test", "run=stress"] {
            request.words = vec![parts.to_owned(), "quick".to_owned()];
            let collected = Collected::new(RunKey::default(), Vec::new());
            let heard = hear(&request, &format!("{variant} {parts}"), collected)?;
            heard.count(&mut done);
            let said = &heard.collected.key.settings;
            done.count(*said == format!("{variant} quick"));
            done.output.push_str(&format!("{variant}: a kernel that says it is '{said}'\n"));
        }
    }
    Ok(done)
}

/// Every machine of one QEMU, if there is such a QEMU.
fn machines(qemu: impl Fn() -> Result<Option<PathBuf>>) -> Result<Done> {
    let Some(qemu) = qemu()? else {
        return Ok(Done::skipped("this system has no newer QEMU to unpack"));
    };
    let probe = match probe::ask(&qemu)? {
        Ok(probe) => probe,
        Err(unasked) => bail!("{} does not answer: {}", qemu.display(), unasked.stderr.join("; ")),
    };
    let apics: &[Apic] = if probe.x2apic { &[Apic::Best, Apic::Xapic] } else { &[Apic::Best] };
    let kernel = build::kernel(&[], &[])?;
    let mut done = Done { note: format!("QEMU {}", probe.version), ..Done::default() };
    for apic in apics {
        for cpus in CPUS {
            let mut request = Request::new(&kernel);
            request.qemu.clone_from(&qemu);
            request.apic = *apic;
            request.cpus = cpus;
            request.words = vec!["run=test".to_owned()];
            one(&request, &format!("{apic:?}, {cpus} CPUs"), &mut done)?;
        }
    }
    Ok(done)
}

/// The QEMU of PATH.
pub fn of_path() -> Result<Option<PathBuf>> {
    Ok(Some(PathBuf::from("qemu-system-x86_64")))
}

/// The newest QEMU, unpacked where that can be done.
pub fn newest() -> Result<Option<PathBuf>> {
    const NOT_HERE: i32 = 4;
    let output = Command::new("sh")
        .arg(place::root().join("ci/newest-qemu.sh"))
        .arg(place::out().join("newest-qemu"))
        .output()
        .context("sh does not start")?;
    match output.status.code() {
        Some(0) => Ok(Some(String::from_utf8_lossy(&output.stdout).trim().into())),
        Some(NOT_HERE) => Ok(None),
        _ => bail!("ci/newest-qemu.sh: {}", String::from_utf8_lossy(&output.stderr).trim()),
    }
}

fn boot(words: &[&str], seed: u64, done: &mut Done) -> Result<Done> {
    let mut request = Request::new(build::kernel(&[], &[])?);
    request.seed = seed;
    request.words = words.iter().map(|word| (*word).to_owned()).collect();
    one(&request, &format!("{} seed={seed}", words.join(" ")), done)?;
    Ok(std::mem::take(done))
}

/// One boot; each part of it is a test, and so is its end.
fn one(request: &Request, name: &str, done: &mut Done) -> Result<()> {
    hear(request, name, Collected::new(RunKey::default(), Vec::new()))?.count(done);
    Ok(())
}

/// `./x` again, for a whole verb of it.
fn this_program() -> Result<Command> {
    let mut command = Command::new(crate::place::myself());
    command.current_dir(place::root());
    Ok(command)
}
