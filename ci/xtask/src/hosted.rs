//! `./x bench --hosted`: our pure crates against their peers, in one process on this host's silicon.

use std::io;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use runner::screen::Look;

use crate::cli::RunArgs;
use crate::{Status, guest, host};

/// Builds `bench/peers`, a workspace of its own, and runs it.
pub fn run(args: &RunArgs) -> Result<Status> {
    let manifest = ["--manifest-path", "bench/peers/Cargo.toml"];
    let program = host::program("peers", "release", &manifest)?;
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
    host::run(&mut peers)
}
