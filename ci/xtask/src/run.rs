//! `./x run`, `./x bench` and `./x stress` with one seed: boot, listen, draw, compare.

use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use bench_report::Goals;
use bench_report::json::Raw;
use bench_report::side_by_side;
use bench_report::table::{self, Rows, Style, Totals};
use runner::screen::{Facts, Live, Look, Screen, Tally};
use runner::{Event, Mode, Request, Sink};

use crate::cli::{self, Baseline, Choice, Machine, Output};
use crate::collect::{Collected, Lines};
use crate::trace::Fresh;
use crate::{Status, again, beyond, gate, guest, list, out, place, settings, sim, why};

/// One boot of the kernel with everything that was asked of it.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// `bench`, `stress`, or both with a comma between: the kernel's `run=`.
    pub parts: &'a str,
    /// Which of them.
    pub choice: &'a Choice,
    /// How to boot.
    pub machine: &'a Machine,
    /// The seed of everything drawn at random.
    pub seed: u64,
    /// What to print.
    pub output: &'a Output,
    /// Of benchmarks.
    pub rows: cli::Rows,
    /// What to compare with.
    pub baseline: Option<&'a Baseline>,
    /// Where to write a timeline.
    pub timeline: Option<&'a Fresh>,
}

/// Runs, once for each combination of what was set; the exit status.
pub fn run(run: &Run<'_>) -> Result<Status> {
    if let Some(refusal) = refusal(run) {
        crate::complain!("x: {refusal}");
        return Ok(Status::Usage);
    }
    if let Some(status) = guest::refused(run.machine, settings::Most::Any, Some(run.choice)) {
        return Ok(status);
    }
    if run.choice.list {
        return list::list(run.parts, run.choice, run.machine);
    }
    let records = place::made().join("run.jsonl");
    let mut lines = match open(&records, run.output.json.as_deref()) {
        Ok(lines) => lines,
        Err(error) => {
            crate::complain!("x: {error}");
            return Ok(Status::Usage);
        }
    };
    let combinations = settings::combinations(run.machine);
    let goes_beyond = beyond::is_wanted(run);
    let mut ran: Vec<(String, Ran)> = Vec::new();
    // A boot that was not begun; the records of those before it stay.
    let mut refused = None;
    for (name, machine) in &combinations {
        let mut one = match one(&Run { machine, ..*run }, std::mem::take(&mut lines))? {
            Ok(one) => one,
            Err((status, _)) if ran.is_empty() => return Ok(status),
            Err((status, kept)) => {
                (refused, lines) = (Some(status), kept);
                break;
            }
        };
        lines = one.collected.take_lines();
        let goes_on = matches!(one.status, Status::Passed | Status::Failed | Status::Worse);
        ran.push((name.clone(), one));
        if !goes_on {
            break;
        }
    }
    let mut status = first_bad(ran.iter().map(|(_, one)| one.status).chain(refused));
    if goes_beyond && status == Status::Passed {
        let (machine, choice) = beyond::many(run.machine);
        let many =
            Run { parts: "bench", machine: &machine, choice: &choice, baseline: None, ..*run };
        match one(&many, std::mem::take(&mut lines))? {
            Ok(mut one) => (status, lines) = (one.status, one.collected.take_lines()),
            Err(refused) => (status, lines) = refused,
        }
    }
    let status = finish(run, &ran, status, (lines, &records))?;
    if goes_beyond && status == Status::Passed {
        return sim::all(run.seed);
    }
    Ok(status)
}

fn first_bad(mut all: impl Iterator<Item = Status>) -> Status {
    all.find(|status| *status != Status::Passed).unwrap_or(Status::Passed)
}

/// What makes no sense to ask of a run, whatever the machine.
fn refusal(run: &Run<'_>) -> Option<String> {
    if run.rows.why && run.machine.mode != Mode::Insns {
        return Some("--why counts instructions, which only --mode insns does".to_owned());
    }
    run.baseline.and_then(|asked| gate::refusal(asked, run.machine, run.output))
}

/// The files for the records: always the same one, and the one that was asked for.
pub fn open(always: &Path, asked: Option<&Path>) -> Result<Vec<Lines>, String> {
    if let Some(folder) = always.parent() {
        // The first run comes before anything was made; what else is wrong with it, opening will say.
        let _ = std::fs::create_dir_all(folder);
    }
    let mut lines = vec![Lines::open(always, Raw::Included)?];
    if let Some(path) = asked {
        lines.push(Lines::open(path, Raw::Included)?);
    }
    Ok(lines)
}

/// What one combination did.
struct Ran {
    status: Status,
    collected: Collected,
}

/// One boot, drawn; or how it ended when there was nothing to draw, with its files.
fn one(run: &Run<'_>, lines: Vec<Lines>) -> Result<Result<Ran, (Status, Vec<Lines>)>> {
    let request = guest::request(run.machine, run.seed, words(run))?;
    let key = guest::key(&request, run.machine)?;
    let facts = guest::facts(&key, run.machine.verbose);
    let collected = RefCell::new(Collected::new(key, lines));
    let status = match boot(run, &request, facts, &collected) {
        Ok(booted) => ended(run, &request, booted, &mut collected.borrow_mut())?,
        Err(status) => return Ok(Err((status, collected.borrow_mut().take_lines()))),
    };
    Ok(Ok(Ran { status, collected: collected.into_inner() }))
}

/// Says how a boot went.
fn ended(
    run: &Run<'_>,
    request: &Request,
    booted: Booted<'_>,
    collected: &mut Collected,
) -> Result<Status> {
    let (report, mut screen, tally, started) = booted;
    let mut status = collected.status(&report.outcome);
    for error in &collected.errors {
        screen.line(&format!("x: {error}"));
    }
    if status == Status::Passed && collected.is_empty() {
        return list::nothing(run.parts, run.choice, run.machine);
    }
    if run.rows.why {
        explain(&mut screen, &request.kernel, collected)?;
    }
    if let Some(file) = run.timeline {
        match file.write(collected, &request.kernel) {
            Ok(lines) => lines.iter().for_each(|line| screen.line(line)),
            Err(error) => {
                screen.line(&format!("x: {error:#}"));
                // A kernel that did not come to its end has sent nothing, and said why.
                status = if status == Status::Passed { Status::Boot } else { status };
            }
        }
    }
    if let Some(asked) = run.baseline {
        let style = style(screen.look());
        let scope = gate::scope(run.choice);
        status = gate::hold(asked, scope, collected, status, (&mut screen, style));
    }
    if matches!(status, Status::Failed | Status::Boot) && run.parts.contains("stress") {
        let verb = match run.timeline {
            Some(_) => again::TRACE,
            None if run.parts == "stress" => "stress",
            None => "run",
        };
        let again = again::line(verb, run.choice, run.machine, run.output.quick, run.seed);
        screen.line(&format!("again: {again}"));
    }
    let totals = totals(collected, tally);
    let time = runner::screen::duration(started.elapsed());
    screen.line(table::result_line(totals, &time).trim_end());
    if let Some(error) = screen.error() {
        out::note(error);
    }
    Ok(status)
}

/// Says where the instructions of each benchmark went, and where interrupts were off for longest.
fn explain(screen: &mut Screen<'_>, kernel: &Path, collected: &mut Collected) -> Result<()> {
    let look = screen.look();
    let why = why::explain(&collected.paths, &collected.benches, kernel, look.width)?;
    screen.line(why.text.trim_end());
    if let Some(masked) = why.masked {
        collected.beside(&masked);
        let (message, goals) = (masked.message.clone(), Goals::builtin());
        screen.line(table::goals_table(&[masked], &goals, Rows::All, style(look)).trim_end());
        screen.line(&format!("interrupts off {message}"));
    }
    Ok(())
}

/// Puts several combinations side by side, closes the records, and says where they are.
fn finish(
    run: &Run<'_>,
    ran: &[(String, Ran)],
    status: Status,
    (lines, records): (Vec<Lines>, &Path),
) -> Result<Status> {
    let (mut screen, look) = screen(run.output.json.as_deref() == Some(Path::new("-")));
    if ran.len() > 1 && ran.iter().any(|(_, one)| !one.collected.benches.is_empty()) {
        let all: Vec<_> = ran
            .iter()
            .map(|(name, one)| (name.as_str(), one.collected.benches.as_slice()))
            .collect();
        let rows = if shows_all(run) { Rows::All } else { Rows::Goals };
        screen.line(side_by_side::table(&all, &Goals::builtin(), rows, style(look)).trim_end());
    }
    if let Err(error) = lines.into_iter().try_for_each(Lines::close) {
        crate::complain!("x: {error}");
        return Ok(Status::Boot);
    }
    let asked = run.output.json.as_deref().filter(|path| *path != Path::new("-"));
    if let Some((_, one)) = ran.last().filter(|(_, one)| !one.collected.is_empty()) {
        screen.items(&[
            format!("records {}", place::shown(asked.unwrap_or(records))),
            next(&one.collected, status, run.rows.why),
        ]);
    }
    if let Some(error) = screen.error() {
        out::note(error);
    }
    Ok(status)
}

type Booted<'w> = (runner::Report, Screen<'w>, Tally, Instant);

/// Boots and draws; a refusal has been printed.
fn boot<'w>(
    run: &'w Run<'_>,
    request: &Request,
    facts: Facts,
    collected: &'w RefCell<Collected>,
) -> Result<Booted<'w>, Status> {
    let started = Instant::now();
    let to_stdout = run.output.json.as_deref() == Some(Path::new("-"));
    let (screen, look) = screen(to_stdout);
    let rows = if shows_all(run) { Rows::All } else { Rows::Goals };
    let drawn = move || {
        table::goals_table(&collected.borrow().benches, &Goals::builtin(), rows, style(look))
    };
    let mut live = Live::new(screen, facts, request, drawn);
    let mut sink = |event: Event<'_>| {
        collected.borrow_mut().event(&event);
        live.event(event);
    };
    match runner::run(request, &mut sink) {
        Ok(report) => {
            let (screen, tally) = live.finish(&report);
            Ok((report, screen, tally, started))
        }
        Err(refusal) => {
            crate::complain!("x: {refusal}");
            Err(Status::from_code(refusal.status()))
        }
    }
}

/// Who chose benchmarks wants to see them.
fn shows_all(run: &Run<'_>) -> bool {
    run.rows.all || run.machine.verbose || run.choice.filter.is_some()
}

/// Where the lines go: standard output, unless records go there.
pub fn screen<'w>(to_stdout: bool) -> (Screen<'w>, Look) {
    if to_stdout {
        let look = Look::of(&io::stderr());
        (Screen::new(io::stderr(), look), look)
    } else {
        let look = Look::of(&io::stdout());
        (Screen::new(io::stdout(), look), look)
    }
}

pub fn style(look: Look) -> Style {
    let mut style = Style::PLAIN;
    style.columns = look.width;
    if look.colour {
        style.color = table::Color::Always;
    }
    style
}

/// The words of the kernel's command line.
pub fn words(run: &Run<'_>) -> guest::Words {
    let mut words = vec![format!("run={}", run.parts)];
    words.extend(run.choice.filter.iter().map(|filter| format!("filter={filter}")));
    if run.rows.why {
        words.push("why".to_owned());
    }
    if run.timeline.is_some() {
        words.push("trace".to_owned());
    }
    if run.output.quick {
        words.push("quick".to_owned());
    }
    words
}

fn totals(collected: &Collected, tally: Tally) -> Totals {
    let (_, passed) = tally.stress;
    Totals {
        goals: Goals::builtin().count(&collected.benches),
        stress: (passed as usize, (tally.stress.0 - passed) as usize),
        benches: (tally.benches.1 as usize, (tally.benches.0 - tally.benches.1) as usize),
    }
}

/// What to type next: a closer look at what missed its goal.
fn next(collected: &Collected, status: Status, why: bool) -> String {
    let goals = Goals::builtin();
    let missed = collected
        .benches
        .iter()
        .find(|result| goals.of(&result.name).is_some_and(|goal| goal.met(result) == Some(false)));
    match missed {
        // Not what has just been done.
        Some(result) if status == Status::Passed && !why => {
            format!("next: ./x bench {} --why", result.name)
        }
        _ => String::new(),
    }
}
