//! The step that shows that the tests named for bugs of history see them: with the cure taken out they are red, each by its name.

use std::process::Command;

use anyhow::Result;

use super::steps::{Done, Step, run, step};
use crate::{place, toolchain};

/// A feature of `ipiq` that takes a cure out, and the tests of its file `fabric` that must then fail.
const CURES: [(&str, &[&str]); 3] = [
    ("uncured-2005", &["stale_index_2005"]),
    ("uncured-2011", &["passive_freeze_2011"]),
    ("uncured-2016", &["mark_cleared_in_loop_2016", "recursion_2016"]),
];

/// The step.
pub fn cures() -> Step {
    step("cures", "without its cure, each bug of history turns the test of its name red", || {
        let mut done = Done::default();
        for (feature, tests) in CURES {
            for test in tests {
                let (fine, output) = run_alone(test, None)?;
                let passes = fine && says(&output, test, "ok");
                let (fine, broken) = run_alone(test, Some(feature))?;
                let fails = !fine && says(&broken, test, "FAILED");
                done.count(passes && fails);
                if !(passes && fails) {
                    done.output
                        .push_str(&format!("{test}, cured:\n{output}\n{feature}:\n{broken}\n"));
                }
            }
        }
        Ok(done)
    })
}

/// Runs one test, with a feature or without.
fn run_alone(test: &str, feature: Option<&str>) -> Result<(bool, String)> {
    let mut cargo = Command::new(toolchain::cargo());
    cargo.current_dir(place::root()).args(["test", "--quiet", "-p", "ipiq", "--test", "fabric"]);
    cargo.args(feature.iter().flat_map(|feature| ["--features", feature]));
    cargo.arg("--target-dir").arg(place::out());
    // The test's own lines, in a form that names it.
    run(cargo.args(["--", "--exact", test, "--format", "pretty"]))
}

fn says(output: &str, test: &str, verdict: &str) -> bool {
    output.lines().any(|line| line == format!("test {test} ... {verdict}"))
}
