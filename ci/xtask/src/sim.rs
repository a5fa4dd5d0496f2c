//! `./x sim`: builds the simulator with room for all the CPUs that it can have, and runs it.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::cli::SimArgs;
use crate::{Status, build, place, settings, toolchain};

/// The verb.
pub fn run(args: &SimArgs) -> Result<Status> {
    let policies = match settings::names_of(&args.set, "runq") {
        Ok(names) => names.join(","),
        Err(wrong) => {
            eprintln!("x: {wrong}");
            return Ok(Status::Usage);
        }
    };
    let program = program()?;
    let mut sim = Command::new(&program);
    let tree = place::root();
    sim.arg("--workloads").arg(tree.join("bench/sim/workloads"));
    let costs = args.costs.clone().unwrap_or_else(|| tree.join("bench/baselines"));
    sim.arg("--costs").arg(costs).args(["--runq", &policies]);
    sim.args(["--cpus", &args.cpus.to_string(), "--seed", &args.seed.seed.to_string()]);
    if let Some(json) = &args.json {
        sim.arg("--json").arg(json);
    }
    // Without a workload it lists them.
    sim.args(args.workload.iter().filter(|_| !args.list));
    let status = sim.status().with_context(|| program.display().to_string())?;
    Ok(status.code().map_or(Status::Interrupted, Status::from_code))
}

/// The program, built. In a folder of its own: with its 1,024 CPUs all below it is another build than the tests'.
fn program() -> Result<PathBuf> {
    let (folder, started) = (place::out().join("sim"), Instant::now());
    let built = Command::new(toolchain::cargo())
        .current_dir(place::root())
        .args(["build", "--quiet", "--profile=models", "--package=sim", "--features=cpus-1024"])
        .arg("--target-dir")
        .arg(&folder)
        .status()
        .context("cargo does not start")?;
    if !built.success() {
        bail!("the simulator does not build");
    }
    let program = folder.join("models/sim");
    build::say_how_long(&program, started);
    Ok(program)
}
