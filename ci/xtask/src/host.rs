//! Programs for this host that a verb builds when it needs them, each in a folder of its own: `sim`, `peers`.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::{Status, build, place, toolchain};

/// Builds the program `name` in this profile, from what `words` say to cargo; says where it lies.
pub fn program(name: &str, profile: &str, words: &[&str]) -> Result<PathBuf> {
    let (folder, started) = (place::out().join(name), Instant::now());
    let mut cargo = Command::new(toolchain::cargo());
    cargo
        .current_dir(place::root())
        .args(["build", "--quiet", "--profile", profile])
        .args(words)
        .arg("--target-dir")
        .arg(&folder);
    let built = build::patiently(name, || cargo.status()).context("cargo does not start")?;
    if !built.success() {
        bail!("the program `{name}` does not build");
    }
    let program = folder.join(profile).join(name);
    build::say_how_long(&program, started);
    Ok(program)
}

/// Runs it to its end, which says how it went by a status of ours.
pub fn run(program: &mut Command) -> Result<Status> {
    let ended = program.status();
    let ended = ended.with_context(|| program.get_program().to_string_lossy().into_owned())?;
    Ok(ended.code().map_or(Status::Interrupted, Status::from_code))
}
