//! `./x bench --full`: the benchmarks for which the number of CPUs matters, on many numbers of CPUs, a boot for each.
//!
//! Law: a boot that fails takes nothing from the others: it leaves a record that says so and what had ended by then. Ctrl-C ends the
//! boot that is under way, and what there is is shown and kept. Times are the host's, and so differ from run to run.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use bench_report::curves::{Point, Row, table};
use bench_report::{BenchResult, Goals};
use runner::screen::{Screen, Verdict};
use runner::{Event, Outcome, Request};

use crate::cli::{Machine, RunArgs};
use crate::collect::{Collected, Lines, Offer};
use crate::run::{open, screen, style};
use crate::{Status, guest, list, out, place, settings};

/// Wall time until the kernel speaks, from the start of QEMU.
const WALL: &str = "boot/wall";

/// Runs all counts, in order; the exit status.
pub fn run(args: &RunArgs, counts: &[u32]) -> Result<Status> {
    if let Some(status) = guest::refused(&args.machine, settings::Most::One, Some(&args.choice)) {
        return Ok(status);
    }
    let mut counts = counts.to_vec();
    counts.sort_unstable();
    counts.dedup();
    // What there is can be said by a kernel to which nothing happens.
    let unharmed = Machine { plant: None, ..args.machine.clone() };
    let offers = match list::offers(words(), args.choice.filter.as_deref(), &unharmed)? {
        Ok(offers) => offers,
        Err(status) => return Ok(status),
    };
    if offers.is_empty() {
        crate::complain!(
            "x: the number of CPUs matters to no benchmark of that name (./x bench --full=1 shows all)"
        );
        return Ok(Status::Usage);
    }
    let records = place::made().join("run.jsonl");
    let mut lines = match open(&records, args.output.json.as_deref()) {
        Ok(lines) => lines,
        Err(error) => {
            crate::complain!("x: {error}");
            return Ok(Status::Usage);
        }
    };
    let (mut screen, look) = screen(args.output.json.as_deref() == Some(Path::new("-")));
    let mut done: Vec<Done> = Vec::new();
    for cpus in counts {
        let machine = Machine { smp: cpus, ..args.machine.clone() };
        let mut one = boot(args, &machine, lines, &offers, &mut screen)?;
        lines = one.collected.take_lines();
        let stops = matches!(one.status, Status::Interrupted | Status::Usage);
        done.push(one);
        if stops {
            break;
        }
    }
    let points: Vec<Point<'_>> = done.iter().map(Done::point).collect();
    let rows: Vec<Row<'_>> = offers
        .iter()
        .map(|offer| Row { name: &offer.name, shape: &offer.shape })
        .chain([Row { name: WALL, shape: "linear" }])
        .collect();
    screen.line(table(&rows, &points, &Goals::builtin(), style(look)).trim_end());
    if let Err(error) = lines.into_iter().try_for_each(Lines::close) {
        crate::complain!("x: {error}");
        return Ok(Status::Boot);
    }
    screen.items(&[format!("records {}", place::shown(&records))]);
    if let Some(error) = screen.error() {
        out::note(error);
    }
    let status = done.iter().map(|one| one.status).find(|status| *status != Status::Passed);
    Ok(status.unwrap_or(Status::Passed))
}

/// What one number of CPUs did.
struct Done {
    status: Status,
    collected: Collected,
}

impl Done {
    fn point(&self) -> Point<'_> {
        Point {
            cpus: self.collected.key.cpus,
            results: &self.collected.benches,
            whole: self.collected.over,
        }
    }
}

/// One boot, with a line that says how it went.
fn boot(
    args: &RunArgs,
    machine: &Machine,
    lines: Vec<Lines>,
    offers: &[Offer],
    screen: &mut Screen<'_>,
) -> Result<Done> {
    let mut words = words();
    words.extend(args.choice.filter.iter().map(|filter| format!("filter={filter}")));
    words.extend(args.output.quick.then(|| "quick".to_owned()));
    let request = guest::request(machine, args.seed.seed, words)?;
    let mut collected = Collected::new(guest::key(&request, machine)?, lines);
    let began = Instant::now();
    let mut started = began;
    let mut hear = |event: Event<'_>| {
        if matches!(event, Event::Command(_)) {
            started = Instant::now();
        }
        let spoke = collected.tick_hz != 0;
        collected.event(&event);
        if !spoke && collected.tick_hz != 0 {
            let wall = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            collected.bench(BenchResult::once(WALL, "ms", wall));
        }
        screen.moving(&progress(machine.smp, &collected, offers, began.elapsed()));
    };
    let report = match runner::run(&request, &mut hear) {
        Ok(report) => report,
        Err(refusal) => {
            screen.line(&format!("x: {refusal}"));
            let status = Status::from_code(refusal.status());
            return Ok(Done { status, collected });
        }
    };
    let status = collected.status(&report.outcome);
    for error in &collected.errors {
        screen.line(&format!("x: {error}"));
    }
    let why = said(&report, &request, &collected, status);
    collected.boot(status == Status::Passed, &why);
    let verdict = if status == Status::Passed { Verdict::Ok } else { Verdict::Fail };
    let ended = collected.benches.iter().filter(|result| result.name != WALL).count();
    let what = format!("{:>3}: {ended} of {}  {why}", machine.smp, offers.len());
    screen.step("CPUs", what.trim_end(), verdict, Some(began.elapsed()));
    Ok(Done { status, collected })
}

/// Why a boot did not pass; empty if it did.
fn said(
    report: &runner::Report,
    request: &Request,
    collected: &Collected,
    status: Status,
) -> String {
    match &report.outcome {
        _ if status == Status::Passed => String::new(),
        Outcome::Success | Outcome::TestFailed => {
            let failed = collected.parts.iter().filter(|part| !part.ok);
            failed
                .map(|part| format!("{}: {}", part.name, part.message))
                .collect::<Vec<_>>()
                .join("; ")
        }
        _ => {
            let at = Some(collected.running()).filter(|name| !name.is_empty());
            runner::explain::lines(report, request, at).into_iter().next().unwrap_or_default()
        }
    }
}

/// The words of the kernel's command line, but for the filter.
fn words() -> guest::Words {
    vec!["run=bench".to_owned(), "full".to_owned()]
}

fn progress(cpus: u32, collected: &Collected, offers: &[Offer], took: Duration) -> String {
    let (ended, all) = (collected.benches.len(), offers.len());
    let time = runner::screen::duration(took);
    let at = if collected.tick_hz == 0 { "boots" } else { collected.running() };
    format!("CPUs    {cpus:>3}: {ended} of {all}  {time}  {at}")
}
