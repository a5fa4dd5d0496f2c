//! The step that shows that a timeline tells what happened, and what its probes cost.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::repeats::records;
use super::steps::{Done, Step, run, step};
use crate::place;

/// The step.
pub fn timelines() -> Step {
    step("timelines", "a timeline is whole, and a probe costs no more than it may", all)
}

/// What to trace, and what each must show: arrows of that sort, and slices of these threads.
const TRACED: [(&str, &str, &[&str]); 4] = [
    ("ipi/remote_ack", "call", &["main", "rests"]),
    ("kernel/port_send_reply", "message", &["main"]),
    ("kernel/ports", "reply", &["rests"]),
    ("user/pipes", "call", &["pipes looks around"]),
];

/// Instructions that a probe may cost.
const MOST: f64 = 12.0;

fn all() -> Result<Done> {
    let mut done = Done::default();
    for (name, arrows, threads) in TRACED {
        let path = place::made().join("timeline.json");
        let mut own = Command::new(place::myself());
        own.current_dir(place::root()).args(["trace", name, "--quick", "-o"]).arg(&path);
        let (fine, output) = run(&mut own)?;
        done.count(fine);
        done.output.push_str(&output);
        if fine {
            let text =
                std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            let wrong = wrong_with(&serde_json::from_str(&text)?, arrows, threads);
            done.count(wrong.is_empty());
            wrong.iter().for_each(|what| done.output.push_str(&format!("{name}: {what}\n")));
        }
    }
    let switch = ["bench", "kernel/switch", "--set", "trace=off,on"];
    let costs = records(&switch, "traced.jsonl", &mut done)?;
    let least = |at: usize| costs.get(at).and_then(|one| one.get("min")?.as_f64());
    let (off, on) = (least(0), least(1));
    let cheap = off.zip(on).is_some_and(|(off, on)| off < on && on - off <= MOST);
    done.count(cheap);
    done.output.push_str(&format!("a switch: {off:?} untraced, {on:?} with its one probe\n"));
    Ok(done)
}

/// What a timeline's file breaks of its laws.
fn wrong_with(file: &Value, arrows: &str, threads: &[&str]) -> Vec<String> {
    let mut wrong = Vec::new();
    let Some(all) = file["traceEvents"].as_array() else { return vec!["no events".to_owned()] };
    let mut tracks: BTreeMap<u64, Vec<(f64, f64, &str)>> = BTreeMap::new();
    let mut ends: BTreeMap<u64, Vec<(&str, f64)>> = BTreeMap::new();
    for one in all {
        let number = |field: &str| one[field].as_f64().unwrap_or(f64::NAN);
        match one["ph"].as_str() {
            Some("X") => {
                let slice = (number("ts"), number("dur"), one["name"].as_str().unwrap_or_default());
                tracks.entry(number("tid") as u64).or_default().push(slice);
            }
            Some(end @ ("s" | "f")) if one["cat"] == arrows => {
                ends.entry(number("id") as u64).or_default().push((end, number("ts")));
            }
            _ => {}
        }
    }
    for (track, slices) in &mut tracks {
        slices.sort_by(|one, other| one.0.total_cmp(&other.0));
        // A slice is at least one tick long, also if it was shorter.
        let overlap = slices.windows(2).find(|two| two[0].0 + two[0].1 > two[1].0 + 0.0015);
        wrong.extend(overlap.map(|two| format!("track {track}: slices overlap: {two:?}")));
    }
    let paired =
        |ends: &Vec<(&str, f64)>| matches!(ends[..], [("s", tail), ("f", head)] if tail <= head);
    wrong.extend(ends.iter().find(|(_, ends)| !paired(ends)).map(|bad| format!("arrow {bad:?}")));
    if ends.is_empty() {
        wrong.push(format!("no arrow of a {arrows}"));
    }
    for thread in threads {
        if !tracks.values().flatten().any(|(.., name)| name == thread) {
            wrong.push(format!("no slice of {thread}"));
        }
    }
    wrong
}
