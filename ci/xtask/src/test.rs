//! `./x test`: everything that must hold, as a list of named steps.
//!
//! The steps are found, not listed: a crate that joins the workspace, or gains a feature `loom` or `shuttle`, is
//! tested without a word here. A step's output is kept and shown when it fails, and left in a file, for who sees only the
//! end of it. Steps run one after the other, as most keep all cores busy; those that bear others run side by side.

mod baseline;
mod clocks;
mod count;
mod cpus;
mod cures;
mod curves;
mod explained;
mod faults;
mod heard;
mod hosted;
mod kernel;
mod orders;
mod pandas;
mod parity;
mod pinned;
mod planted;
mod readme;
mod repeats;
mod side_by_side;
mod startup;
mod steps;
mod timelines;
pub mod workspace;

use std::io::{IsTerminal, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bench_report::{matches, unknown_part};

use crate::cli::TestArgs;
use crate::say;
use crate::{Status, out, place};
use steps::{Done, Step};

/// Runs the steps that the filter chooses; the last line is `N passed, N failed`.
pub fn test(args: &TestArgs) -> Result<Status> {
    let steps = steps::all(&workspace::Workspace::read()?)?;
    let filter = args.choice.filter.as_deref().unwrap_or("");
    let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
    if let Some(part) = unknown_part(filter, |part| names.iter().any(|name| name.contains(part))) {
        crate::complain!("x: no step's name holds '{part}'; there are: {}", names.join(" "));
        return Ok(Status::Usage);
    }
    let chosen: Vec<&Step> = steps.iter().filter(|step| matches(filter, &step.name)).collect();
    if args.choice.list {
        for step in chosen {
            say!("{:<16} {}", step.name, step.what);
        }
        return Ok(Status::Passed);
    }

    let (mut passed, mut failed) = (0, 0);
    let mut failures = Vec::new();
    for group in chosen.chunk_by(|one, next| one.bears_others && next.bears_others) {
        if group.len() > 1 {
            settle();
        }
        let outcomes = side_by_side::map(group, |step| outcome(step, args.verbose));
        for (step, done) in group.iter().zip(outcomes) {
            let done = done?;
            passed += done.passed;
            failed += done.failed;
            if done.failed > 0 {
                failures.push(step.name.as_str());
            }
        }
    }
    if !failures.is_empty() {
        say!("failed: {}        again: ./x test {}", failures.join(" "), failures[0]);
    }
    say!("{passed} passed, {failed} failed");
    Ok(if failed == 0 { Status::Passed } else { Status::Failed })
}

/// Has `./x` build this program once more, if tests have put one in its place that is built otherwise: before several start it.
fn settle() {
    let mut x = Command::new(place::root().join("x"));
    let _ = x.arg("--version").stdin(Stdio::null()).output();
}

/// Runs a step and tells of it.
fn outcome(step: &Step, verbose: bool) -> Result<Done> {
    announce(&step.name);
    let started = Instant::now();
    let done = (step.run)().unwrap_or_else(|error| Done::failure(format!("{error:#}")));
    // What is said of one step is said at a stretch.
    let _whole = std::io::stdout().lock();
    report(step, &done, started.elapsed());
    if verbose || done.failed > 0 {
        out::text(format_args!("{}", indented(&done.output)));
    }
    keep(&step.name, &done)?;
    Ok(done)
}

/// On a terminal, the name of what takes so long.
fn announce(name: &str) {
    if std::io::stdout().is_terminal() {
        out::text(format_args!("{name} ...\r"));
        let _ = std::io::stdout().flush();
    }
}

/// Leaves the output of a step that failed in a file of its own, and says where; takes away what an earlier run left.
fn keep(name: &str, done: &Done) -> Result<()> {
    let folder = place::made().join("failed");
    let file = folder.join(format!("{name}.log"));
    if done.failed > 0 {
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        std::fs::write(&file, &done.output).with_context(|| file.display().to_string())?;
        say!("    all of this is in {}", place::shown(&file));
    } else {
        // Most times there is none.
        let _ = std::fs::remove_file(&file);
    }
    Ok(())
}

fn report(step: &Step, done: &Done, took: Duration) {
    let verdict = match (done.passed, done.failed) {
        (0, 0) => "skip",
        (_, 0) => "ok",
        _ => "FAILED",
    };
    let count = format!("{} passed, {} failed", done.passed, done.failed);
    say!("{:<16} {verdict:<6} {count:<24} {:>6.1} s  {}", step.name, took.as_secs_f64(), done.note);
    done.found.iter().for_each(|line| say!("    {line}"));
}

fn indented(output: &str) -> String {
    output.lines().map(|line| format!("    {line}\n")).collect()
}
