//! `./x bench --hosted`: our pure crates against their peers, in one process on this host's silicon.

use std::process::Command;

use anyhow::{Context, Result};

use crate::cli::RunArgs;
use crate::{Status, guest, place, toolchain};

/// Builds and runs `bench/peers`, a workspace of its own.
pub fn run(args: &RunArgs) -> Result<Status> {
    let mut cargo = Command::new(toolchain::cargo());
    cargo
        .args(["run", "--quiet", "--release", "--manifest-path"])
        .arg(place::root().join("bench/peers/Cargo.toml"))
        .arg("--target-dir")
        .arg(place::out().join("peers"))
        .arg("--");
    cargo.args(&args.choice.filter);
    if args.choice.list {
        cargo.arg("--list");
    }
    if let Some(json) = &args.output.json {
        cargo.arg("--json").arg(json);
    }
    cargo.arg("--key").arg(serde_json::to_string(&guest::hosted_key()?)?);
    let status = cargo.status().context("cargo does not start")?;
    Ok(Status::from_code(status.code().unwrap_or(Status::Boot as i32)))
}
