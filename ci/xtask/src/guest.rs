//! From the command line to a request for the runner, and what a run's figures depend on.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use bench_report::{RunKey, Start};
use runner::screen::Facts;
use runner::{Apic, Request, probe};
use sha2::{Digest, Sha256};

use crate::cli::{Choice, Machine};
use crate::{Status, build, names, place, settings, toolchain};

/// Part of the kernel's command line: `run=` and what follows.
pub type Words = Vec<String>;

/// The request for one boot; builds the kernel unless the user brought one.
pub fn request(machine: &Machine, seed: u64, words: Words) -> Result<Request> {
    let kernel = match &machine.image {
        Some(image) => image.clone(),
        None => build::kernel(&machine.features(), &machine.variants())?,
    };
    let mut request = asked(machine, kernel);
    request.seed = seed;
    request.words = words;
    request.words.extend(machine.plant.iter().map(|name| format!("plant={name}")));
    request.words.extend(chosen(machine));
    request.extra.clone_from(&machine.extra);
    request.cache = Some(place::made());
    Ok(request)
}

/// Says before anything is built what cannot be: what makes no sense to ask of a machine, a name that nothing in the source has,
/// a QEMU that is not there. The status to end with.
pub fn refused(machine: &Machine, most: settings::Most, choice: Option<&Choice>) -> Option<Status> {
    let filter = choice.and_then(|choice| choice.filter.as_deref());
    let nameless = || {
        // An image that somebody brought has names of its own.
        let unknown = filter.filter(|_| machine.image.is_none()).and_then(names::unknown);
        let where_to = "./x bench --list and ./x stress --list say what there is";
        unknown.map(|part| format!("nothing is called '{part}'; {where_to}"))
    };
    match refusal(machine, most).or_else(nameless) {
        Some(line) => {
            crate::complain!("x: {line}");
            Some(Status::Usage)
        }
        None => missing(&machine.qemu),
    }
}

/// Says that a QEMU is not there. The status to end with.
pub fn missing(qemu: &Path) -> Option<Status> {
    let missing = probe::is_there(qemu).err()?;
    crate::complain!("x: {missing}");
    Some(Status::from_code(missing.status()))
}

/// What makes no sense to ask of a machine.
fn refusal(machine: &Machine, most: settings::Most) -> Option<String> {
    settings::refusal(machine, most).or_else(|| {
        let request = asked(machine, PathBuf::new());
        let checked = request.check().and_then(|()| match probe_for(&request) {
            Some(probe) => request.check_with(&probe),
            None => Ok(()),
        });
        checked.err().map(|refusal| refusal.to_string())
    })
}

/// What there is to know of QEMU before it is started for the kernel: nothing, most times. Whoever starts it says why it does not answer.
fn probe_for(request: &Request) -> Option<probe::Probe> {
    request.depends_on_probe().then(|| probe::ask(&request.qemu).ok()?.ok()).flatten()
}

/// The request for a boot of this kernel, which is told nothing yet.
fn asked(machine: &Machine, kernel: PathBuf) -> Request {
    let mut request = Request::new(kernel);
    request.qemu.clone_from(&machine.qemu);
    request.cpus = machine.smp;
    request.mode = machine.mode;
    request.apic = if machine.xapic { Apic::Xapic } else { Apic::Best };
    request
}

/// What the first line of a run says.
pub fn facts(key: &RunKey, verbose: bool) -> Facts {
    Facts {
        version: key.kernel.clone(),
        revision: key.revision(),
        rustc: key.compiler.trim_start_matches("rustc ").to_owned(),
        verbose,
    }
}

/// What figures depend on, as far as it is known before the kernel speaks.
pub fn key(request: &Request, machine: &Machine) -> Result<RunKey> {
    let image = read(&request.kernel)?;
    let source = if machine.image.is_some() { foreign_source(&image) } else { own_source()? };
    Ok(RunKey { settings: settings(machine), ..booted(request, &image, source) })
}

/// The same for a kernel of this checkout on the usual machine.
pub fn key_of_ours(request: &Request) -> Result<RunKey> {
    Ok(booted(request, &read(&request.kernel)?, own_source()?))
}

fn booted(request: &Request, image: &[u8], source: RunKey) -> RunKey {
    RunKey {
        image: hash(image),
        mode: request.mode.name().to_owned(),
        seed: request.seed,
        cpus: request.cpus.into(),
        ..source
    }
}

/// The same for a comparison in a host process, of this program.
pub fn hosted_key(program: &Path) -> Result<RunKey> {
    Ok(RunKey {
        qemu: "none".to_owned(),
        apic: "none".to_owned(),
        image: hash(&read(program)?),
        ..own_source()?
    })
}

/// What is built from this checkout.
fn own_source() -> Result<RunKey> {
    let source = Source::of_checkout();
    let about = toolchain::ask_rustc(&["--version", "--verbose"])?;
    let value = |name: &str| about.lines().find_map(|line| line.strip_prefix(name));
    Ok(RunKey {
        compiler: format!("rustc {}", value("release: ").unwrap_or(UNKNOWN)),
        llvm: value("LLVM version: ").unwrap_or(UNKNOWN).to_owned(),
        kernel: env!("CARGO_PKG_VERSION").to_owned(),
        git: source.revision,
        dirty: source.dirty,
        ..RunKey::default()
    })
}

/// An image that somebody brought: what it says itself.
fn foreign_source(image: &[u8]) -> RunKey {
    let unknown = || UNKNOWN.to_owned();
    RunKey {
        compiler: runner::symbols::compiler(image).unwrap_or_else(unknown),
        llvm: unknown(),
        // The kernel will say.
        kernel: "?".to_owned(),
        git: unknown(),
        dirty: None,
        ..RunKey::default()
    }
}

const UNKNOWN: &str = "unknown";

/// Adds what the kernel says about itself.
pub fn complete(key: &mut RunKey, start: &Start) {
    key.apic.clone_from(&start.apic);
    key.cpus = start.cpus;
    key.clock_within = start.clock_within;
    key.clock_apart = start.clock_apart;
    key.kernel.clone_from(&start.kernel);
    key.cpu_model.clone_from(&start.cpu_model);
    let quick = if start.quick { "quick" } else { "" };
    let words = [start.variants.as_str(), key.settings.as_str(), quick];
    key.settings =
        words.iter().copied().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
}

/// What the kernel is told to choose: words of its command line.
fn chosen(machine: &Machine) -> impl Iterator<Item = String> {
    let faults = machine.faults.iter().map(|names| format!("faults={names}"));
    faults.chain(machine.idle.iter().map(|name| format!("idle={name}")))
}

/// What else was asked for that may change a figure.
fn settings(machine: &Machine) -> String {
    let extra = machine.extra.iter().map(|word| word.to_string_lossy().into_owned());
    let all = machine.plant.iter().cloned().chain(chosen(machine)).chain(extra);
    all.collect::<Vec<_>>().join(" ")
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| path.display().to_string())
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The checkout's revision.
struct Source {
    revision: String,
    dirty: Option<bool>,
}

impl Source {
    fn of_checkout() -> Self {
        match git(&["rev-parse", "--short", "HEAD"]) {
            // Without what is made by measuring: it is no source of anything.
            Some(revision) => Self {
                revision,
                dirty: git(&["status", "--porcelain", "--", ".", ":!bench/baselines", ":!*.jsonl"])
                    .map(|changes| !changes.is_empty()),
            },
            None => Self { revision: UNKNOWN.to_owned(), dirty: None },
        }
    }
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").current_dir(place::root()).args(args).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests;
