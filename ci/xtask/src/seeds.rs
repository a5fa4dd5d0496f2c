//! `./x stress --seeds A..B`: the same stress tests under many interleavings, on all host cores.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::Result;
use bench_report::StressResult;
use runner::{Event, Outcome, Request};

use crate::cli::StressArgs;
use crate::collect::{Collected, Lines};
use crate::{Status, guest, list, place};

/// What one seed did.
struct Done {
    seed: u64,
    outcome: Outcome,
    stress: Vec<StressResult>,
    passed: bool,
    words: Vec<String>,
}

/// Runs every seed of the shard; a line for each that fails, with what to type to see it again.
pub fn run(args: &StressArgs) -> Result<Status> {
    let Some(range) = args.seeds.clone() else { return Ok(Status::Usage) };
    let seeds: Vec<u64> =
        range.filter(|seed| args.shard.is_none_or(|shard| shard.holds(*seed))).collect();
    let mut words = vec!["run=stress".to_owned()];
    words.extend(args.choice.filter.iter().map(|filter| format!("filter={filter}")));
    let request = guest::request(&args.machine, 0, words)?;
    let key = guest::key(&request, &args.machine)?;
    let records = args.output.json.clone().unwrap_or_else(|| place::made().join("seeds.jsonl"));
    let records = match Lines::open(&records, bench_report::json::Raw::Omitted) {
        Ok(lines) => Mutex::new(lines),
        Err(error) => {
            eprintln!("x: {error}");
            return Ok(Status::Usage);
        }
    };

    let started = Instant::now();
    let left = Mutex::new(seeds.iter().copied());
    let all = Mutex::new(Vec::new());
    let stop = AtomicBool::new(false);
    let refused = Mutex::new(None);
    thread::scope(|scope| {
        for _ in 0..workers(&request, seeds.len()) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let Some(seed) = left.lock().expect("no worker panics").next() else { return };
                    let mut request = request.clone();
                    request.seed = seed;
                    let mut key = key.clone();
                    key.seed = seed;
                    let mut collected = Collected::new(key, Vec::new());
                    match runner::run(&request, &mut |event: Event<'_>| collected.event(&event)) {
                        Ok(report) => {
                            if matches!(report.outcome, Outcome::Interrupted { .. }) {
                                stop.store(true, Ordering::Relaxed);
                            }
                            let mut records = records.lock().expect("no worker panics");
                            for result in &collected.stress {
                                records.write(&bench_report::json::stress(result, &collected.key));
                            }
                            drop(records);
                            let done = Done {
                                seed,
                                passed: report.outcome == Outcome::Success
                                    && collected.passed()
                                    && !collected.is_empty(),
                                outcome: report.outcome.clone(),
                                stress: collected.stress,
                                words: runner::explain::lines(&report, &request, None),
                            };
                            tell(&done, args);
                            all.lock().expect("no worker panics").push(done);
                        }
                        Err(refusal) => {
                            stop.store(true, Ordering::Relaxed);
                            *refused.lock().expect("no worker panics") = Some(refusal);
                        }
                    }
                }
            });
        }
    });
    if let Some(refusal) = refused.into_inner().expect("no worker panics") {
        eprintln!("x: {refusal}");
        return Ok(Status::from_code(refusal.status()));
    }
    let all = all.into_inner().expect("no worker panics");
    let time = runner::screen::duration(started.elapsed());
    if let Err(error) = records.into_inner().expect("no worker panics").close() {
        eprintln!("x: {error}");
        return Ok(Status::Boot);
    }
    if !all.is_empty()
        && all.iter().all(|done| done.outcome == Outcome::Success && done.stress.is_empty())
    {
        return list::nothing("stress", &args.choice, &args.machine);
    }
    Ok(sum(&all, &time))
}

/// As many boots at once as the host has cores for: one thread each in mode `insns`, one for each CPU otherwise.
fn workers(request: &Request, seeds: usize) -> usize {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let each = if request.mode == runner::Mode::Insns { 1 } else { request.cpus as usize };
    (cores / each).clamp(1, seeds.max(1))
}

/// The line of a seed that failed.
fn tell(done: &Done, args: &StressArgs) {
    // A boot that ran nothing is told of once, at the end.
    if done.passed || done.outcome == Outcome::Success && done.stress.is_empty() {
        return;
    }
    let failed: Vec<&str> =
        done.stress.iter().filter(|result| !result.ok).map(|result| result.name.as_str()).collect();
    println!("seed {:<8} {}  {}", done.seed, done.outcome.name(), failed.join(" "));
    println!("     again: {}", replay(done.seed, args));
    if failed.is_empty() {
        for line in &done.words {
            println!("     {line}");
        }
    }
}

/// The one line that does it again.
pub fn replay(seed: u64, args: &StressArgs) -> String {
    let mut line = "./x stress".to_owned();
    line.extend(args.choice.filter.iter().map(|filter| format!(" {filter}")));
    line.push_str(&args.machine.replay());
    format!("{line} --seed {seed}")
}

fn sum(all: &[Done], time: &str) -> Status {
    let failed = all.iter().filter(|done| !done.passed).count();
    let orders: HashSet<Vec<u64>> =
        all.iter().map(|done| done.stress.iter().map(|result| result.trace).collect()).collect();
    println!("{} seeds, {} different orders, {failed} failed; {time}", all.len(), orders.len());
    let worst =
        all.iter().map(|done| Status::of(&done.outcome)).find(|status| *status == Status::Boot);
    match (failed, worst) {
        (0, _) => Status::Passed,
        (_, Some(status)) => status,
        _ => Status::Failed,
    }
}
