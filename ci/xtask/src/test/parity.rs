//! The step that shows that simulator and kernel count the same.

use std::process::Command;

use anyhow::{Result, bail};

use super::steps::{Done, Step, run, step};
use crate::place;

/// What both play, and how many jobs each thread has.
const PLAYED: [(&str, &str); 4] =
    [("barrier", "50"), ("mixed", "25"), ("pipeline", "100"), ("web", "50")];

/// The step.
pub fn parity() -> Step {
    let what = "the simulator's counters are the kernel's, on 1, 4 and 16 CPUs";
    step("parity", what, || PLAYED.iter().try_fold(Done::default(), |done, one| play(done, *one)))
}

/// A test for each number of CPUs.
fn play(mut done: Done, (workload, jobs): (&str, &str)) -> Result<Done> {
    let mut own = Command::new(place::myself());
    own.current_dir(place::root()).args(["sim", workload, "--kernel", "--jobs", jobs]);
    let (fine, output) = run(&mut own)?;
    let verdicts = output.lines().filter(|line| line.ends_with(" too far apart"));
    let held: Vec<bool> = verdicts.map(|line| line.ends_with(", 0 too far apart")).collect();
    held.iter().for_each(|held| done.count(*held));
    done.output.push_str(&output);
    if fine != (held == [true; 3]) {
        bail!("{workload}: what was printed and how it ended do not agree\n{output}");
    }
    if held.len() < 3 {
        done.count(false);
    }
    Ok(done)
}
