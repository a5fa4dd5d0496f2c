//! `./x sim`: builds the simulator with room for all the CPUs that it can have, and runs it; or has the kernel play the
//! workload in between, and the simulator say how far apart they are.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, anyhow};
use bench_report::json::Raw;
use runner::{Event, Outcome, Request, explain};

use crate::cli::SimArgs;
use crate::collect::{Collected, Lines};
use crate::settings::Axis;
use crate::{Status, build, guest, host, place, settings};

/// CPUs on which both play, unless others are asked for.
const CPUS: [u32; 3] = [1, 4, 16];
/// What both play unless something else is asked for. Times are longer than in the files, as in mode `insns` the paths of all CPUs
/// take turns: the more of all time they take, the more they wait for one another.
const JOBS: u64 = 100;
const STRETCH: u64 = 10;
/// As many as a machine has that nobody said anything of.
const USUAL: u32 = 4;

/// The verb.
pub fn run(args: &SimArgs) -> Result<Status> {
    let policies = match settings::names_of(&args.set, "runq") {
        Ok(names) if args.kernel => names[..1].to_vec(),
        Ok(names) => names,
        Err(wrong) => {
            crate::complain!("x: {wrong}");
            return Ok(Status::Usage);
        }
    };
    // In a folder of its own: with its 1,024 CPUs all below it is another build than the tests'.
    let program = host::program("sim", "models", &["--package=sim", "--features=cpus-1024"])?;
    let sim = |cpus: u32| {
        let mut sim = Command::new(&program);
        let tree = place::root();
        sim.arg("--workloads").arg(tree.join("bench/sim/workloads"));
        let costs = args.costs.clone().unwrap_or_else(|| tree.join("bench/baselines"));
        sim.arg("--costs").arg(costs).args(["--runq", &policies.join(",")]);
        sim.args(["--cpus", &cpus.to_string(), "--seed", &args.seed.seed.to_string()]);
        let usual = |asked: Option<u64>, usual| asked.or(args.kernel.then_some(usual));
        let numbers =
            [("--jobs", usual(args.jobs, JOBS)), ("--stretch", usual(args.stretch, STRETCH))];
        for (flag, number) in numbers {
            sim.args(number.into_iter().flat_map(|number| [flag.to_owned(), number.to_string()]));
        }
        // Without a workload it lists them.
        sim.args(args.workload.iter().filter(|_| !args.list));
        sim
    };
    if args.kernel {
        return against(args, sim);
    }
    let mut sim = sim(args.cpus.unwrap_or(USUAL));
    if let Some(json) = &args.json {
        sim.arg("--json").arg(json);
    }
    host::run(&mut sim)
}

/// Both play, on each number of CPUs; the first status that is not good.
fn against(args: &SimArgs, sim: impl Fn(u32) -> Command) -> Result<Status> {
    let cpus = args.cpus.map_or(CPUS.to_vec(), |cpus| vec![cpus]);
    let mut worst = Status::Passed;
    for cpus in cpus {
        let (form, records) =
            (place::made().join("workload.form"), place::made().join("played.jsonl"));
        std::fs::create_dir_all(place::made())?;
        let written = host::run(sim(cpus).arg("--form").arg(&form))?;
        if written != Status::Passed {
            return Ok(written);
        }
        let played = play(args, cpus, &form, &records)?;
        if played != Status::Passed {
            return Ok(played);
        }
        let held = host::run(sim(cpus).arg("--played").arg(&records))?;
        if worst == Status::Passed {
            worst = held;
        }
    }
    Ok(worst)
}

/// Has the kernel play what is in the file.
fn play(args: &SimArgs, cpus: u32, form: &Path, records: &Path) -> Result<Status> {
    let variants: Vec<_> = args.set.iter().map(Axis::first).filter(|one| !one.is_usual()).collect();
    let mut request = Request::new(build::kernel(&[], &variants)?);
    (request.cpus, request.seed) = (cpus, args.seed.seed);
    request.words = vec!["run=play".to_owned()];
    request.cache = Some(place::made());
    request.initrd = Some(form.to_owned());
    let key = guest::key_of_ours(&request)?;
    let lines = Lines::open(records, Raw::Omitted).map_err(|why| anyhow!(why))?;
    let mut collected = Collected::new(key, vec![lines]);
    let mut said = Vec::new();
    let report = runner::run(&request, &mut |event: Event<'_>| {
        if let Event::Frame(frame) = &event {
            said.extend(explain::said(frame));
        }
        collected.event(&event);
    })?;
    collected.take_lines().into_iter().try_for_each(Lines::close).map_err(|why| anyhow!(why))?;
    if report.outcome != Outcome::Success || !collected.passed() {
        let lines = explain::lines(&report, &request, None);
        let parts = collected.parts.iter().map(|part| &part.message);
        for line in said.iter().chain(parts).chain(&collected.errors).chain(&lines) {
            crate::complain!("x: {line}");
        }
        return Ok(Status::of(&report.outcome));
    }
    Ok(Status::Passed)
}
