//! `./x stress --seeds A..B`: the same stress tests under many interleavings, on all host cores.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::Instant;

use anyhow::Result;
use bench_report::{RunKey, StressResult};
use runner::{Event, Outcome, Refusal, Request};

use crate::cli::{MOST_SHARDS, StressArgs};
use crate::collect::{Collected, Lines};
use crate::say;
use crate::{Status, again, guest, list, place, settings};

/// What one seed did.
struct Done {
    seed: u64,
    outcome: Outcome,
    stress: Vec<StressResult>,
    passed: bool,
    words: Vec<String>,
}

impl Done {
    /// Somebody ended it, and it shows nothing.
    fn interrupted(&self) -> bool {
        matches!(self.outcome, Outcome::Interrupted { .. })
    }
}

/// Boots that are shared out among workers.
struct Batch<'a> {
    args: &'a StressArgs,
    request: Request,
    key: RunKey,
    left: Mutex<RangeInclusive<u64>>,
    records: Mutex<Lines>,
    done: Mutex<Vec<Done>>,
    refused: Mutex<Option<Refusal>>,
    /// Relaxed: it says nothing about other memory.
    stop: AtomicBool,
}

/// Runs every seed of the shard; a line for each that fails, with what to type to see it again.
pub fn run(args: &StressArgs) -> Result<Status> {
    if let Some(status) = guest::refused(&args.machine, settings::Most::One, Some(&args.choice)) {
        return Ok(status);
    }
    if args.choice.list {
        return list::list("stress", &args.choice, &args.machine);
    }
    let Some(seeds) = args.seeds.clone() else { return Ok(Status::Usage) };
    if !seeds.clone().take(MOST_SHARDS as usize).any(|seed| is_mine(args, seed)) {
        crate::complain!("x: none of these seeds is in that part");
        return Ok(Status::Usage);
    }
    let mut words = vec!["run=stress".to_owned()];
    words.extend(args.choice.filter.iter().map(|filter| format!("filter={filter}")));
    words.extend(args.output.quick.then(|| "quick".to_owned()));
    let request = guest::request(&args.machine, 0, words)?;
    let records = args.output.json.clone().unwrap_or_else(|| place::made().join("seeds.jsonl"));
    let records = match Lines::open(&records, bench_report::json::Raw::Omitted) {
        Ok(lines) => lines,
        Err(error) => {
            crate::complain!("x: {error}");
            return Ok(Status::Usage);
        }
    };
    let (started, workers) = (Instant::now(), workers(&request, &seeds));
    let batch = Batch {
        args,
        key: guest::key(&request, &args.machine)?,
        request,
        left: Mutex::new(seeds),
        records: Mutex::new(records),
        done: Mutex::new(Vec::new()),
        refused: Mutex::new(None),
        stop: AtomicBool::new(false),
    };
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| batch.work());
        }
    });
    if let Some(refusal) = whole(batch.refused) {
        crate::complain!("x: {refusal}");
        return Ok(Status::from_code(refusal.status()));
    }
    if let Err(error) = whole(batch.records).close() {
        crate::complain!("x: {error}");
        return Ok(Status::Boot);
    }
    let (all, left) = (whole(batch.done), whole(batch.left));
    let nothing = |done: &Done| done.outcome == Outcome::Success && done.stress.is_empty();
    if !all.is_empty() && all.iter().all(nothing) {
        return list::nothing("stress", &args.choice, &args.machine);
    }
    Ok(sum(&all, &left, &runner::screen::duration(started.elapsed())))
}

impl Batch<'_> {
    /// Boots one seed after the other, until none is left or somebody says stop.
    fn work(&self) {
        while !self.stop.load(Ordering::Relaxed) {
            let Some(seed) = self.next() else { return };
            match self.boot(seed) {
                Ok(done) => {
                    tell(&done, self.args);
                    locked(&self.done).push(done);
                }
                Err(refusal) => {
                    self.stop.store(true, Ordering::Relaxed);
                    *locked(&self.refused) = Some(refusal);
                }
            }
        }
    }

    /// The next seed of this shard.
    fn next(&self) -> Option<u64> {
        locked(&self.left).find(|seed| is_mine(self.args, *seed))
    }

    fn boot(&self, seed: u64) -> Result<Done, Refusal> {
        let request = Request { seed, ..self.request.clone() };
        let mut collected = Collected::new(RunKey { seed, ..self.key.clone() }, Vec::new());
        let report = runner::run(&request, &mut |event: Event<'_>| collected.event(&event))?;
        if matches!(report.outcome, Outcome::Interrupted { .. }) {
            self.stop.store(true, Ordering::Relaxed);
        }
        let mut records = locked(&self.records);
        for result in &collected.stress {
            records.write(&bench_report::json::stress(result, &collected.key));
        }
        drop(records);
        let something = collected.passed() && !collected.is_empty();
        Ok(Done {
            seed,
            passed: report.outcome == Outcome::Success && something,
            words: runner::explain::lines(&report, &request, None),
            outcome: report.outcome,
            stress: collected.stress,
        })
    }
}

/// Whether a seed is in the shard that was asked for.
fn is_mine(args: &StressArgs, seed: u64) -> bool {
    args.shard.is_none_or(|shard| shard.holds(seed))
}

/// What a mutex guards, for a moment.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no worker panics")
}

/// What it guarded, when the workers are over.
fn whole<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().expect("no worker panics")
}

/// As many boots at once as the host has cores for: one thread each in mode `insns`, one for each CPU otherwise.
fn workers(request: &Request, seeds: &RangeInclusive<u64>) -> usize {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let each = if request.mode == runner::Mode::Insns { 1 } else { request.cpus as usize };
    let seeds = seeds.end() - seeds.start();
    (cores / each).clamp(1, usize::try_from(seeds).unwrap_or(usize::MAX).saturating_add(1))
}

/// The line of a seed that failed.
fn tell(done: &Done, args: &StressArgs) {
    // A boot that ran nothing is told of once, at the end.
    let nothing = done.outcome == Outcome::Success && done.stress.is_empty();
    if done.passed || nothing || done.interrupted() {
        return;
    }
    let failed: Vec<_> = done.stress.iter().filter(|result| !result.ok).collect();
    say!("seed {:<8} {}", done.seed, done.outcome.name());
    for result in &failed {
        say!("     {}: {}", result.name, result.message);
    }
    let quick = args.output.quick;
    say!("     again: {}", again::line("stress", &args.choice, &args.machine, quick, done.seed));
    if failed.is_empty() {
        for line in &done.words {
            say!("     {line}");
        }
    }
}

fn sum(all: &[Done], left: &RangeInclusive<u64>, time: &str) -> Status {
    let stopped = all.iter().any(Done::interrupted);
    let all: Vec<&Done> = all.iter().filter(|done| !done.interrupted()).collect();
    let failed = all.iter().filter(|done| !done.passed).count();
    let orders: HashSet<Vec<u64>> =
        all.iter().map(|done| done.stress.iter().map(|result| result.trace).collect()).collect();
    let rest = match stopped {
        true => format!("; stopped before seed {}", left.start()),
        false => String::new(),
    };
    say!("{} seeds, {} different orders, {failed} failed; {time}{rest}", all.len(), orders.len());
    let worst =
        all.iter().map(|done| Status::of(&done.outcome)).find(|status| *status == Status::Boot);
    match (failed, worst) {
        _ if stopped => Status::Interrupted,
        (0, _) => Status::Passed,
        (_, Some(status)) => status,
        _ => Status::Failed,
    }
}
