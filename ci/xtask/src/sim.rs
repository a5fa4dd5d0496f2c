//! `./x sim`: builds the simulator with room for all the CPUs that it can have, and runs it; or has the kernel play the
//! workload in between, and the simulator say how far apart they are.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, anyhow};
use bench_report::json::Raw;
use runner::{Event, Request, explain};

use crate::cli::{Seed, SimArgs};
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

/// Each workload that ships in a few lines, under each run queue.
pub fn all(seed: u64) -> Result<Status> {
    run(&SimArgs {
        workload: Some("all".into()),
        list: false,
        cpus: None,
        kernel: false,
        qemu: None,
        jobs: None,
        stretch: None,
        set: Vec::new(),
        seed: Seed { seed },
        costs: None,
        json: None,
    })
}

/// The verb.
pub fn run(args: &SimArgs) -> Result<Status> {
    if let Some(wrong) = settings::twice(&args.set) {
        crate::complain!("x: {wrong}");
        return Ok(Status::Usage);
    }
    if let Some(missing) = args.qemu.as_deref().and_then(guest::missing) {
        return Ok(missing);
    }
    // In a folder of its own: with its 1,024 CPUs all below it is another build than the tests'.
    let program = host::program("sim", "models", &["--package=sim", "--features=cpus-1024"])?;
    let sim = |cpus: u32, set: &[Axis]| {
        let mut sim = Command::new(&program);
        let tree = place::root();
        sim.arg("--workloads").arg(tree.join("bench/sim/workloads"));
        let costs = args.costs.clone().unwrap_or_else(|| tree.join("bench/baselines"));
        sim.arg("--costs").arg(costs);
        for key in settings::SIMULATED {
            let names = settings::names_of(set, key).map(|names| names.join(","));
            sim.args(names.into_iter().flat_map(|names| [format!("--{key}"), names]));
        }
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
    let mut sim = sim(args.cpus.unwrap_or(USUAL), &args.set);
    if let Some(json) = &args.json {
        sim.arg("--json").arg(json);
    }
    host::run(&mut sim)
}

/// Both play, under each combination of policies and on each number of CPUs; the first status that is not good.
fn against(args: &SimArgs, sim: impl Fn(u32, &[Axis]) -> Command) -> Result<Status> {
    let cpus = args.cpus.map_or(CPUS.to_vec(), |cpus| vec![cpus]);
    let usual = Axis::known(&format!("runq={}", lwkt_sched::queue::NAMES[0]))?;
    let mut worst = Status::Passed;
    for mut set in settings::each(&args.set) {
        // Nobody asked for it: a kernel has one all the same.
        if settings::names_of(&set, "runq").is_none() {
            set.push(usual.clone());
        }
        for cpus in &cpus {
            let held = both(args, *cpus, &set, &sim)?;
            if !matches!(held, Status::Passed | Status::Failed) {
                return Ok(held);
            }
            if worst == Status::Passed {
                worst = held;
            }
        }
    }
    Ok(worst)
}

/// Both play once.
fn both(
    args: &SimArgs,
    cpus: u32,
    set: &[Axis],
    sim: impl Fn(u32, &[Axis]) -> Command,
) -> Result<Status> {
    let folder = tempfile::tempdir().context("a folder for what is played")?;
    let (form, records) = (folder.path().join("workload.form"), folder.path().join("played.jsonl"));
    let written = host::run(sim(cpus, set).arg("--form").arg(&form))?;
    if written != Status::Passed {
        return Ok(written);
    }
    let played = play(args, cpus, set, (&form, &records))?;
    if played != Status::Passed {
        return Ok(played);
    }
    host::run(sim(cpus, set).arg("--played").arg(&records))
}

/// Has the kernel play what is in the file.
fn play(
    args: &SimArgs,
    cpus: u32,
    set: &[Axis],
    (form, records): (&Path, &Path),
) -> Result<Status> {
    let variants: Vec<_> = set.iter().map(Axis::first).filter(|one| !one.is_usual()).collect();
    let mut request = Request::new(build::kernel(&[], &variants)?);
    (request.cpus, request.seed) = (cpus, args.seed.seed);
    request.qemu = args.qemu.clone().unwrap_or(request.qemu);
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
    let status = collected.status(&report.outcome);
    if status != Status::Passed {
        let lines = explain::lines(&report, &request, None);
        let parts = collected.parts.iter().map(|part| &part.message);
        for line in said.iter().chain(parts).chain(&collected.errors).chain(&lines) {
            crate::complain!("x: {line}");
        }
    }
    Ok(status)
}
