//! `./x bench --hosted`: our pure crates against their peers, in one process on this host's silicon.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use runner::screen::Look;

use crate::cli::RunArgs;
use crate::{Status, build, guest, place, toolchain};

/// Builds `bench/peers`, a workspace of its own, and runs it.
pub fn run(args: &RunArgs) -> Result<Status> {
    let program = program()?;
    let to_stdout = args.output.json.as_deref() == Some(Path::new("-"));
    let look = if to_stdout { Look::of(&io::stderr()) } else { Look::of(&io::stdout()) };
    let mut peers = Command::new(&program);
    peers.args(&args.choice.filter).arg("--columns").arg(look.width.to_string());
    let flags = [
        (args.choice.list, "--list"),
        (args.output.quick, "--quick"),
        (args.rows.all || args.machine.verbose, "--spread"),
        (look.colour, "--color"),
    ];
    peers.args(flags.iter().filter(|(wanted, _)| *wanted).map(|(_, flag)| flag));
    if let Some(json) = &args.output.json {
        peers.arg("--json").arg(json);
    }
    peers.arg("--key").arg(serde_json::to_string(&guest::hosted_key(&program)?)?);
    let status = peers.status().with_context(|| program.display().to_string())?;
    Ok(status.code().map_or(Status::Interrupted, Status::from_code))
}

/// The program, built.
fn program() -> Result<PathBuf> {
    let (folder, started) = (place::out().join("peers"), Instant::now());
    let built = Command::new(toolchain::cargo())
        .args(["build", "--quiet", "--release", "--manifest-path"])
        .arg(place::root().join("bench/peers/Cargo.toml"))
        .arg("--target-dir")
        .arg(&folder)
        .status()
        .context("cargo does not start")?;
    if !built.success() {
        bail!("the hosted comparison does not build");
    }
    let program = folder.join("release/peers");
    build::say_how_long(&program, started);
    Ok(program)
}
