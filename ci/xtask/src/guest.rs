//! From the command line to a request for the runner, and what a run's figures depend on.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use bench_report::{RunKey, Start};
use runner::screen::Facts;
use runner::{Apic, Request};
use sha2::{Digest, Sha256};

use crate::cli::Machine;
use crate::{build, place, toolchain};

/// Part of the kernel's command line: `run=` and what follows.
pub type Words = Vec<String>;

/// The request for one boot; builds the kernel unless the user brought one.
pub fn request(machine: &Machine, seed: u64, words: Words) -> Result<Request> {
    let kernel = match &machine.image {
        Some(image) => image.clone(),
        None => build::kernel(&machine.features)?,
    };
    let mut request = Request::new(kernel);
    request.qemu.clone_from(&machine.qemu);
    request.cpus = machine.smp;
    request.mode = machine.mode;
    request.apic = if machine.xapic { Apic::Xapic } else { Apic::Best };
    request.seed = seed;
    request.words = words;
    request.words.extend(machine.plant.iter().map(|name| format!("plant={name}")));
    request.extra.clone_from(&machine.extra);
    request.cache = Some(place::made());
    Ok(request)
}

/// What the first line of a run says.
pub fn facts(verbose: bool) -> Result<Facts> {
    let source = Source::of_checkout();
    Ok(Facts {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        revision: format!("{}{}", source.revision, if source.dirty { "+" } else { "" }),
        rustc: compiler()?.trim_start_matches("rustc ").to_owned(),
        verbose,
    })
}

/// What figures depend on, as far as it is known before the kernel speaks.
pub fn key(request: &Request, machine: &Machine) -> Result<RunKey> {
    let source = Source::of_checkout();
    Ok(RunKey {
        image: hash(&request.kernel)?,
        mode: request.mode.name().to_owned(),
        seed: request.seed,
        cpus: request.cpus.into(),
        settings: settings(machine),
        ..host_key(source)?
    })
}

/// The same for a comparison in a host process.
pub fn hosted_key() -> Result<RunKey> {
    Ok(RunKey { qemu: "none".to_owned(), ..host_key(Source::of_checkout())? })
}

fn host_key(source: Source) -> Result<RunKey> {
    Ok(RunKey {
        compiler: compiler()?,
        kernel: env!("CARGO_PKG_VERSION").to_owned(),
        git: source.revision,
        dirty: source.dirty,
        ..RunKey::default()
    })
}

/// Adds what the kernel says about itself.
pub fn complete(key: &mut RunKey, start: &Start) {
    key.apic.clone_from(&start.apic);
    key.cpus = start.cpus;
    key.kernel.clone_from(&start.kernel);
    key.cpu_model.clone_from(&start.cpu_model);
    if start.quick {
        key.settings = [key.settings.as_str(), "quick"].join(" ").trim().to_owned();
    }
}

/// What else was asked for that may change a figure.
fn settings(machine: &Machine) -> String {
    let planted = machine.features.iter().chain(&machine.plant).cloned();
    let extra = machine.extra.iter().map(|word| word.to_string_lossy().into_owned());
    planted.chain(extra).collect::<Vec<_>>().join(" ")
}

/// `rustc 1.96.0`.
fn compiler() -> Result<String> {
    let version = toolchain::ask_rustc(&["--version"])?;
    Ok(version.split(" (").next().unwrap_or(&version).to_owned())
}

fn hash(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    Ok(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The checkout's revision.
struct Source {
    revision: String,
    dirty: bool,
}

impl Source {
    fn of_checkout() -> Self {
        let revision =
            git(&["rev-parse", "--short", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
        let changes = git(&["status", "--porcelain", "--untracked-files=no"]);
        Self { revision, dirty: changes.is_some_and(|changes| !changes.is_empty()) }
    }
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").current_dir(place::root()).args(args).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
