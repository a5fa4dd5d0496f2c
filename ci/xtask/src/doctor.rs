//! `./x doctor`: what this machine has beyond the tools, on which `ci/setup.sh` reports (`DAMSELFLY_REPORT`).

use std::path::Path;

use anyhow::Result;
use runner::{Outcome, probe};

use crate::cli::DoctorArgs;
use crate::say;
use crate::{Status, place, toolchain};

/// Prints a line for each thing; a bad one is followed by its fix.
pub fn doctor(args: &DoctorArgs) -> Result<Status> {
    // Printed here, since a command line that makes no sense is to get its one line and nothing else.
    let tools = std::env::var_os("DAMSELFLY_REPORT").unwrap_or_default();
    print!("{}", tools.display());
    let mut fine = std::env::var_os("DAMSELFLY_INCOMPLETE").is_none();
    match toolchain::own_libcore() {
        Ok(true) => line("target", "x86_64-unknown-none, with the compiler"),
        Ok(false) => {
            line("target", "x86_64-unknown-none, built from the compiler's sources (ci/sysroot.sh)")
        }
        Err(error) => {
            fine = false;
            line("target", &format!("BAD: {error:#}"));
        }
    }
    fine &= qemu(&args.qemu);
    kvm(args);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    line(
        "host",
        &format!(
            "{cores} CPUs: mode insns uses one, tcg as many as --smp, kvm wants --smp {cores} at most"
        ),
    );
    line("built", &place::shown(&place::made()));
    Ok(if fine { Status::Passed } else { Status::Failed })
}

/// QEMU itself is asked, not a table of versions.
fn qemu(qemu: &Path) -> bool {
    match probe::ask(qemu) {
        Ok(Ok(probe)) => {
            line(
                "emulation",
                &format!(
                    "QEMU {}, {}",
                    probe.version,
                    if probe.x2apic { "x2APIC" } else { "xAPIC only" }
                ),
            );
            if !probe.x2apic {
                fix("none needed below 256 CPUs; x2APIC is emulated from QEMU 9.0 on");
            }
            true
        }
        Ok(Err(unasked)) => {
            line(
                "emulation",
                &format!("BAD: {} does not answer: {}", qemu.display(), unasked.stderr.join("; ")),
            );
            fix("install QEMU anew, or name another with --qemu PATH");
            false
        }
        Err(refusal) => {
            // Not what to do next: to ask the doctor.
            let refusal = refusal.to_string();
            let refusal = refusal.split(" Next: ").next().unwrap_or_default();
            line("emulation", &format!("BAD: {refusal}"));
            fix("the line of `qemu` above, or another --qemu PATH");
            false
        }
    }
}

/// Whether real silicon can be used: a probe boot of the kernel, when there is one; its answer is kept.
fn kvm(args: &DoctorArgs) {
    let device = Path::new("/dev/kvm");
    if !device.exists() {
        return line("kvm", "none: mode kvm cannot be used; insns and tcg can");
    }
    if let Err(error) = std::fs::File::options().read(true).write(true).open(device) {
        line("kvm", &format!("there, but not for you: {error}"));
        return fix("sudo usermod -aG kvm $USER, then log in anew");
    }
    let kernel = place::made().join("damselfly");
    if !kernel.exists() {
        return line("kvm", "there; whether it works is seen at the first ./x run --mode kvm");
    }
    let mut request = runner::Request::new(&kernel);
    request.qemu.clone_from(&args.qemu);
    request.mode = runner::Mode::Kvm;
    request.cpus = 1;
    request.words = vec!["run=".to_owned()];
    request.cache = Some(place::made());
    match runner::run(&request, &mut |_: runner::Event<'_>| {}).map(|report| report.outcome) {
        Ok(Outcome::Success) => line("kvm", "works: --mode kvm measures real cycles"),
        Ok(Outcome::KvmBroken { why }) => {
            line("kvm", &format!("there, but broken: {why}"));
            fix(
                "none from here, often a virtual machine's host; modes insns and tcg do not need it",
            );
        }
        Ok(other) => line("kvm", &format!("the probe boot ended with: {}", other.name())),
        Err(refusal) => line("kvm", &format!("not probed: {refusal}")),
    }
}

fn line(what: &str, text: &str) {
    say!("{what:<10} {text}");
}

fn fix(text: &str) {
    say!("{:<10} fix: {text}", "");
}
