//! The step that shows that simulator and kernel count the same.

use std::process::Command;

use anyhow::{Result, bail};

use super::side_by_side;
use super::steps::{Done, Step, run, step};
use crate::place;

/// What both play, on how many machines: on 1, 4 and 16 CPUs, and with each policy but the usual ones on 4.
const PLAYED: [(&str, usize); 6] = [
    ("barrier --jobs 50", 3),
    ("mixed --jobs 25", 3),
    ("pipeline --jobs 100", 3),
    ("web --jobs 50", 3),
    ("web --jobs 50 --cpus 4 --set runq=list,fair", 2),
    ("web --jobs 50 --cpus 4 --set ipi=eager", 1),
];

/// The step.
pub fn parity() -> Step {
    let what =
        "the simulator's counters are the kernel's, on 1, 4 and 16 CPUs, and under each policy";
    step("parity", what, || {
        let mut done = Done::default();
        for played in side_by_side::map(&PLAYED, |one| play(*one)) {
            done.add(played.unwrap_or_else(|error| Done::failure(format!("{error:#}\n"))));
        }
        Ok(done)
    })
}

/// A test for each machine.
fn play((words, machines): (&str, usize)) -> Result<Done> {
    let mut done = Done::default();
    let mut own = Command::new(place::myself());
    own.current_dir(place::root()).args(["sim", "--kernel"]).args(words.split(' '));
    let (fine, output) = run(&mut own)?;
    let verdicts = output.lines().filter(|line| line.ends_with(" too far apart"));
    let held: Vec<bool> = verdicts.map(|line| line.ends_with(", 0 too far apart")).collect();
    held.iter().for_each(|held| done.count(*held));
    done.output.push_str(&output);
    if fine != (held == vec![true; machines]) {
        bail!("{words}: what was printed and how it ended do not agree\n{output}");
    }
    if held.len() < machines {
        done.count(false);
    }
    Ok(done)
}
