//! `./x sim`: builds the simulator with room for all the CPUs that it can have, and runs it.

use std::process::Command;

use anyhow::Result;

use crate::cli::SimArgs;
use crate::{Status, host, place, settings};

/// The verb.
pub fn run(args: &SimArgs) -> Result<Status> {
    let policies = match settings::names_of(&args.set, "runq") {
        Ok(names) => names.join(","),
        Err(wrong) => {
            eprintln!("x: {wrong}");
            return Ok(Status::Usage);
        }
    };
    // In a folder of its own: with its 1,024 CPUs all below it is another build than the tests'.
    let program = host::program("sim", "models", &["--package=sim", "--features=cpus-1024"])?;
    let mut sim = Command::new(program);
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
    host::run(&mut sim)
}
