//! `./x test`: everything that must hold, as a list of named steps.
//!
//! The steps are found, not listed: a crate that joins the workspace, or gains a feature `loom` or `shuttle`, is
//! tested without a word here. A step's output is kept and shown when it fails.

mod baseline;
mod count;
mod explained;
mod hosted;
mod kernel;
mod pandas;
mod readme;
mod repeats;
mod steps;
mod workspace;

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::Status;
use crate::cli::TestArgs;
use steps::{Done, Step};

/// Runs the steps that the filter chooses; the last line is `N passed, N failed`.
pub fn test(args: &TestArgs) -> Result<Status> {
    let steps = steps::all(&workspace::Workspace::read()?)?;
    let filter = args.choice.filter.as_deref().unwrap_or("");
    let chosen: Vec<&Step> = steps.iter().filter(|step| step.name.contains(filter)).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
        eprintln!("x: no step's name holds '{filter}'; there are: {}", names.join(" "));
        return Ok(Status::Usage);
    }
    if args.choice.list {
        for step in chosen {
            println!("{:<16} {}", step.name, step.what);
        }
        return Ok(Status::Passed);
    }

    let (mut passed, mut failed) = (0, 0);
    let mut failures = Vec::new();
    for step in chosen {
        announce(&step.name);
        let started = Instant::now();
        let done = (step.run)().unwrap_or_else(|error| Done::failure(format!("{error:#}")));
        report(step, &done, started.elapsed());
        passed += done.passed;
        failed += done.failed;
        if args.verbose || done.failed > 0 {
            print!("{}", indented(&done.output));
        }
        if done.failed > 0 {
            failures.push(step.name.as_str());
        }
    }
    if !failures.is_empty() {
        println!("failed: {}        again: ./x test {}", failures.join(" "), failures[0]);
    }
    println!("{passed} passed, {failed} failed");
    Ok(if failed == 0 { Status::Passed } else { Status::Failed })
}

/// On a terminal, the name of what takes so long.
fn announce(name: &str) {
    if std::io::stdout().is_terminal() {
        print!("{name} ...\r");
        let _ = std::io::stdout().flush();
    }
}

fn report(step: &Step, done: &Done, took: Duration) {
    let verdict = match (done.passed, done.failed) {
        (0, 0) => "skip",
        (_, 0) => "ok",
        _ => "FAILED",
    };
    let count = format!("{} passed, {} failed", done.passed, done.failed);
    println!(
        "{:<16} {verdict:<6} {count:<24} {:>6.1} s  {}",
        step.name,
        took.as_secs_f64(),
        done.note
    );
}

fn indented(output: &str) -> String {
    output.lines().map(|line| format!("    {line}\n")).collect()
}
