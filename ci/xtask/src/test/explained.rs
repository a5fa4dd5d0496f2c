//! The step that shows that `--why` adds up.

use std::process::Command;

use anyhow::Result;

use super::steps::{Done, Step, run, step};
use crate::place;
use crate::why::table::{ANOTHER, TOO_MANY, UNSHOWN};

/// The step.
pub fn explained() -> Step {
    step("why", "--why explains each figure to the last instruction", all)
}

/// Each benchmark is a test: what `--why` shows of it adds up to its figure.
fn all() -> Result<Done> {
    let mut bench = Command::new(crate::place::myself());
    bench.current_dir(place::root()).args(["bench", "--why", "--all", "--quick"]);
    let (fine, output) = run(&mut bench)?;
    let mut done = Done { failed: (!fine).into(), ..Done::default() };
    for part in output.split("\nwhy ").skip(1) {
        let rest = [UNSHOWN, TOO_MANY, ANOTHER];
        let whole = part.contains("the figure (min)") || part.contains(": it counts ");
        let fine = whole && !rest.iter().any(|line| part.contains(line));
        done.count(fine);
        if !fine {
            done.output.push_str(&format!("why {part}\n"));
        }
    }
    if done.passed + done.failed == 0 {
        done.count(false);
        done.output.push_str(&output);
    }
    Ok(done)
}
