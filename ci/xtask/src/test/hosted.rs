//! The step that runs the hosted comparison, quickly: each pair that there is gives a record that can be read.

use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::steps::{Done, Step, run, step};
use crate::place;

/// The step.
pub fn step_quick() -> Step {
    step("hosted", "the hosted comparison compares every pair that it lists, quickly", quick)
}

fn quick() -> Result<Done> {
    if cfg!(not(all(target_arch = "x86_64", target_os = "linux"))) {
        return Ok(Done::skipped("the comparison needs x86-64 silicon and Linux"));
    }
    let records = place::made().join("hosted.jsonl");
    let mut done = Done::default();
    let mut listed = String::new();
    for words in [&["--list"][..], &["--quick", "--json"]] {
        let mut command = Command::new(crate::place::myself());
        command.current_dir(place::root()).args(["bench", "--hosted"]).args(words);
        if words.contains(&"--json") {
            command.arg(&records);
        }
        let (fine, output) = run(&mut command)?;
        done.count(fine);
        done.output.push_str(&output);
        if words.contains(&"--list") {
            listed = output;
        }
    }
    let lines = std::fs::read_to_string(&records).with_context(|| records.display().to_string())?;
    let found: Vec<Value> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let is_pair = |line: &&str| line.split(' ').next().is_some_and(|name| name.contains('/'));
    for line in listed.lines().filter(is_pair) {
        let known = found.iter().find(|record| is_of(record, line));
        let fine = known.is_some_and(is_whole) || known.is_none() && needs_more_cpus(line);
        done.count(fine);
        if !fine {
            done.output.push_str(&format!("{line}: no record, or not all in it\n"));
        }
    }
    Ok(done)
}

/// Whether the record is of the pair and peer in a line of the list.
fn is_of(record: &Value, line: &str) -> bool {
    let (Some(pair), Some(peer)) = (record["pair"].as_str(), record["peer"].as_str()) else {
        return false;
    };
    line.split_once(' ').is_some_and(|(name, rest)| name == pair && rest.trim().starts_with(peer))
}

/// Whether a comparison came out: with all its rounds on one CPU, across CPUs with what the host let happen.
fn is_whole(record: &Value) -> bool {
    let number = |key: &str| record[key].as_f64().unwrap_or(0.0);
    if number("cpus") == 2.0 && record.get("ratio_median").is_none() {
        return number("discarded") > 0.0 && number("line_ticks") > 0.0;
    }
    ["ours", "theirs", "ratio_low", "ratio_median", "ratio_p99"].iter().all(|key| number(key) > 0.0)
}

/// A pair that has no record on a host with one CPU.
fn needs_more_cpus(line: &str) -> bool {
    let one = std::thread::available_parallelism().is_ok_and(|cpus| cpus.get() == 1);
    one && ["ring/stream", "ring/round_trip", "ring/two_cpus", "ring/crossing"]
        .iter()
        .any(|name| line.starts_with(name))
}
