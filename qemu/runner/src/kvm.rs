//! Whether KVM can be used here, found out by using it.
//!
//! That `/dev/kvm` opens says little: nested hosts accept the guest and then abort, or run it
//! slower than emulation would. So the kernel is booted once, briefly, and only its own verdict
//! counts. The answer is kept until QEMU, the kernel image or the host changes.

use std::{
    fs::{self, File},
    path::PathBuf,
    time::{Duration, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    Event, Outcome, Refusal,
    probe::Probe,
    qmp::Monitor,
    request::{Limits, Mode, Request},
    session,
};

/// How long a healthy KVM takes at the very most.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Serialize, Deserialize, PartialEq)]
struct Kept {
    key: String,
    broken: Option<String>,
}

/// Returns how a run that would use KVM ends instead, or `None` when KVM works.
pub fn broken(request: &Request, probe: &Probe, elf: &[u8]) -> Result<Option<Outcome>, Refusal> {
    let outcome = |why| Outcome::KvmBroken { why };
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
    if request.cpus > cores {
        return Err(Refusal::Usage(format!(
            "--mode kvm runs at most as many CPUs as the host has cores: --smp {} is more than {cores}",
            request.cpus
        )));
    }
    if let Err(error) = File::options().read(true).write(true).open(&request.kvm) {
        return Ok(Some(outcome(format!("{}: {error}", request.kvm.display()))));
    }
    let key = key(request, probe);
    let file = request.cache.as_ref().map(|folder| folder.join("kvm.json"));
    if let Some(kept) = file.as_ref().and_then(read).filter(|kept| kept.key == key) {
        return Ok(kept.broken.map(outcome));
    }
    let broken = match try_out(request, probe, elf)? {
        Ok(broken) => broken,
        // That says nothing about KVM.
        Err(interrupted) => return Ok(Some(interrupted)),
    };
    if let Some(file) = file
        && let Ok(text) = serde_json::to_string(&Kept { key, broken: broken.clone() })
    {
        // An answer that cannot be kept is asked for again.
        let _ = file.parent().map(fs::create_dir_all);
        let _ = fs::write(file, text);
    }
    Ok(broken.map(outcome))
}

/// Why KVM cannot be used, if so; or that somebody ended the trial.
type Tried = Result<Option<String>, Outcome>;

fn try_out(request: &Request, probe: &Probe, elf: &[u8]) -> Result<Tried, Refusal> {
    let trial = Request {
        words: vec!["run=boot".into()],
        limits: Limits {
            boot: PATIENCE,
            boot_each: Duration::ZERO,
            quiet: PATIENCE,
            total: PATIENCE,
            cap: PATIENCE,
        },
        gdb: false,
        ..request.clone()
    };
    let report = session::boot(&trial, probe, elf, 1.0, &mut |_: Event<'_>| {})?;
    let last = report.stderr.last().map(|line| format!(": {line}")).unwrap_or_default();
    Ok(Ok(match report.outcome {
        Outcome::Success => None,
        Outcome::Hang { .. } | Outcome::Silent { .. } => {
            Some(format!("a trial boot did not end within {} s", PATIENCE.as_secs()))
        }
        interrupted @ Outcome::Interrupted { .. } => return Ok(Err(interrupted)),
        Outcome::NotStarted { .. } | Outcome::Died { .. } | Outcome::KvmBroken { .. } => {
            Some(format!("QEMU gave up on a trial boot{last}"))
        }
        other => Some(format!("a trial boot ended in {}{last}", other.name())),
    }))
}

fn read(file: &PathBuf) -> Option<Kept> {
    serde_json::from_str(&fs::read_to_string(file).ok()?).ok()
}

/// Names everything that the answer depends on.
fn key(request: &Request, probe: &Probe) -> String {
    let host = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let image = fs::metadata(&request.kernel)
        .and_then(|data| data.modified())
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .map_or(0, |age| age.as_nanos());
    json!([
        request.qemu.to_string_lossy(),
        probe.version,
        request.cpus,
        request.machine.name,
        request.kernel.to_string_lossy(),
        image.to_string(),
        host.trim(),
        boot.trim(),
    ])
    .to_string()
}

/// Gives each virtual CPU a core of its own.
pub fn pin(monitor: &mut Monitor, mode: Mode) -> anyhow::Result<()> {
    if mode != Mode::Kvm {
        return Ok(());
    }
    let cpus = monitor.command("query-cpus-fast", json!({}))?;
    let threads = cpus.as_array().into_iter().flatten().filter_map(|cpu| cpu["thread-id"].as_i64());
    for (core, thread) in threads.enumerate() {
        pin_thread(thread as i32, core)?;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn pin_thread(thread: i32, core: usize) -> anyhow::Result<()> {
    use rustix::{process::Pid, thread as threads};
    let allowed = threads::sched_getaffinity(None)?;
    let cores: Vec<usize> =
        (0..threads::CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect();
    let mut one = threads::CpuSet::new();
    one.set(cores[core % cores.len()]);
    threads::sched_setaffinity(Pid::from_raw(thread), &one)?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn pin_thread(_thread: i32, _core: usize) -> anyhow::Result<()> {
    Ok(())
}
