//! The step that shows that `--why` adds up, that no more instructions are locked than are known, and that interrupts are
//! never off for longer than they may.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use serde_json::{Map, Value};

use super::repeats::records;
use super::steps::{Done, Step, step};
use crate::place;
use crate::why::MASKED;
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
    let mut done = Done::default();
    let words = ["bench", "--why", "--all", "--quick"];
    let records = records(&words, "why.jsonl", &mut done)?;
    let output = std::mem::take(&mut done.output);
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
    masked(&records, &mut done);
    if done.passed + done.failed == 0 {
        done.count(false);
        done.output.push_str(&output);
    }
    Ok(done)
}

/// Interrupts are off for no longer than goal G24 says, and it is known where.
fn masked(records: &[Map<String, Value>], done: &mut Done) {
    let Some(record) = records.iter().find(|one| one.get("bench").is_some_and(|own| own == MASKED))
    else {
        done.count(false);
        return done.output.push_str("no record of how long interrupts were off\n");
    };
    let field = |key: &str| record.get(key).cloned().unwrap_or_default();
    let place = field("message").as_str().unwrap_or_default().to_owned();
    let is_known = place.matches(".rs:").count() == 2;
    done.count(field("goal_met") == true && is_known);
    let (length, must) = (field("goal_figure"), field("goal_must"));
    done.note =
        format!("interrupts off for {length} instructions at most, {place}; goal G24 {must}");
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
