//! The step that shows that `--why` adds up, that no more instructions are locked than are known, and that interrupts are
//! never off for longer than they may.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, Result};

use super::steps::{Done, Step, run, step};
use crate::place;
use crate::why::LONGEST;
use crate::why::table::{ANOTHER, LOCKED, TOO_MANY, UNSHOWN};

/// The step.
pub fn explained() -> Step {
    step(
        "why",
        "--why explains each figure to the last instruction; few are locked, interrupts are not off for long",
        all,
    )
}

/// Each benchmark is a test: what `--why` shows of it adds up to its figure.
fn all() -> Result<Done> {
    let mut bench = Command::new(crate::place::myself());
    bench.current_dir(place::root()).args(["bench", "--why", "--all", "--quick"]);
    let (fine, output) = run(&mut bench)?;
    let mut done = Done { failed: (!fine).into(), ..Done::default() };
    let known = known()?;
    for part in output.split("\nwhy ").skip(1) {
        let name = part.split([':', ' ']).next().unwrap_or_default();
        if let Some(locked) = locked(part) {
            let most = known.get(name).copied().unwrap_or(0.0);
            done.count(locked == most);
            if locked != most {
                let line = format!(
                    "{name}: {locked} instructions are locked, bench/locked.toml says {most}\n"
                );
                done.output.push_str(&line);
            }
        }
        let rest = [UNSHOWN, TOO_MANY, ANOTHER];
        let whole = part.contains("the figure (min)") || part.contains(": it counts ");
        let fine = whole && !rest.iter().any(|line| part.contains(line));
        done.count(fine);
        if !fine {
            done.output.push_str(&format!("why {part}\n"));
        }
    }
    let masked = interrupts_off(&output);
    done.count(masked.is_some_and(|length| length <= LONGEST_OFF));
    done.output.push_str(&format!("interrupts off for longest: {masked:?}, goal {LONGEST_OFF}\n"));
    if done.passed + done.failed == 0 {
        done.count(false);
        done.output.push_str(&output);
    }
    Ok(done)
}

/// Goal G24: instructions of one CPU.
const LONGEST_OFF: u64 = 500;

/// How many instructions interrupts were off for, at most.
fn interrupts_off(output: &str) -> Option<u64> {
    let (_, rest) = output.split_once(LONGEST)?;
    rest.split_whitespace().next()?.parse().ok()
}

/// How many may be, by benchmark.
fn known() -> Result<BTreeMap<String, f64>> {
    let path = place::root().join("bench/locked.toml");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    toml::from_str(&text).with_context(|| path.display().to_string())
}

/// How many locked instructions one operation has, if that is said.
fn locked(part: &str) -> Option<f64> {
    let line = part.lines().find(|line| line.ends_with(LOCKED))?;
    line.split_whitespace().next()?.parse().ok()
}
