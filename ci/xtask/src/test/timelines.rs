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

/// Something to trace, and what its timeline must show.
struct Traced {
    name: &'static str,
    /// Arrows of that sort.
    arrows: &'static str,
    /// Slices of these threads.
    threads: &'static [&'static str],
    /// Events that come to pass.
    events: &'static [&'static str],
}

const fn traced(
    name: &'static str,
    arrows: &'static str,
    threads: &'static [&'static str],
    events: &'static [&'static str],
) -> Traced {
    Traced { name, arrows, threads, events }
}

const TRACED: [Traced; 12] = [
    traced("ipi/remote_ack", "call", &["main", "rests"], &["sent", "ran", "rung"]),
    traced("kernel/port_send_reply", "message", &["main"], &["put", "received", "replied", "back"]),
    traced("port/spin", "message", &["main"], &["put", "received", "replied", "back"]),
    traced("kernel/ports", "reply", &["rests"], &["waits", "woke", "rests", "rested"]),
    traced("user/pipes", "call", &["pipes looks around"], &["user", "entered", "faulted"]),
    traced(
        "kernel/interrupts",
        "line",
        &[],
        &["raised", "handles", "borrowed", "returned", "refused"],
    ),
    traced(
        "kernel/migrate",
        "thread",
        &[],
        &["leaves", "came", "taken_away", "given_back", "turn"],
    ),
    traced("kernel/callouts", "call", &[], &["armed", "fired", "cancelled", "timer"]),
    traced("kernel/cpusync", "call", &[], &["masters", "commands", "parked", "lets_go", "goes_on"]),
    traced("kernel/storm", "call", &[], &["full", "unsent", "avoided", "doorbell"]),
    traced("kernel/abort", "reply", &[], &["asked", "aborted", "forwarded"]),
    traced("kernel/heap", "call", &[], &["freed"]),
];

/// Instructions that a probe of at most two words may cost.
const MOST: f64 = 12.0;

/// Benchmarks in each operation of which there are so many probes, and no others: their words are as many as is said.
const COSTS: [(&str, f64, &str); 2] =
    [("kernel/switch", 1.0, "of one word"), ("ipi/push_pop", 2.0, "of two words")];

fn all() -> Result<Done> {
    let mut done = Done::default();
    for traced in &TRACED {
        if let Some((said, file)) = trace(&[traced.name, "--quick"], true, &mut done)? {
            let mut wrong = wrong_with(&file, traced.arrows, traced.threads);
            let came_to_pass = |event: &&str| said.lines().any(|line| is_count_of(line, event));
            let missing = traced.events.iter().filter(|event| !came_to_pass(event));
            wrong.extend(missing.map(|event| format!("no event {event}")));
            wrong.extend(unaccounted(&said));
            done.count(wrong.is_empty());
            let name = traced.name;
            wrong.iter().for_each(|what| done.output.push_str(&format!("{name}: {what}\n")));
        }
    }
    of_a_panic(&mut done)?;
    costs(&mut done)?;
    Ok(done)
}

/// Traces, and comes back with what was printed and the file.
fn trace(words: &[&str], passes: bool, done: &mut Done) -> Result<Option<(String, Value)>> {
    let folder = tempfile::tempdir().context("a folder for a timeline")?;
    let path = folder.path().join("timeline.json");
    let mut own = Command::new(place::myself());
    own.current_dir(place::root()).arg("trace").args(words).arg("-o").arg(&path);
    let (fine, output) = run(&mut own)?;
    done.count(fine == passes);
    done.output.push_str(&output);
    if fine != passes {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(Some((output, serde_json::from_str(&text)?)))
}

/// Every event is counted, and in the file or among those that were not kept.
fn unaccounted(said: &str) -> Option<String> {
    let number = |text: &str| text.split_whitespace().next()?.parse::<u64>().ok();
    let is_head = |line: &&str| line.trim_start().starts_with("events of the whole run");
    let counts = said.lines().skip_while(|line| !is_head(line)).skip(1);
    let total: u64 = counts.map_while(|line| number(line.trim().split_once(' ')?.1)).sum();
    let both = || {
        let (kept, rest) = said.split_once(" events; ")?;
        Some(number(kept.rsplit('(').next()?)? + number(rest)?)
    };
    let both = both().unwrap_or(0);
    (total == 0 || total != both).then(|| format!("{total} events counted, {both} accounted for"))
}

/// Whether a line says how often an event came to pass.
fn is_count_of(line: &str, event: &str) -> bool {
    let mut words = line.split_whitespace();
    words.next() == Some(event) && words.next().is_some_and(|count| count.parse::<u64>().is_ok())
}

/// A kernel that ends before it could send anything: its logs are read out of its memory.
fn of_a_panic(done: &mut Done) -> Result<()> {
    let words = ["kernel/switch", "--quick", "--plant", "panic"];
    let Some((said, file)) = trace(&words, false, done)? else { return Ok(()) };
    let told = said.contains("the kernel ended early: this is what its logs held then");
    let all = file["traceEvents"].as_array().map_or(&[][..], Vec::as_slice);
    let happened = all.iter().any(|one| one["ph"] == "X" || one["ph"] == "i");
    done.count(told && happened);
    done.output.push_str(&format!("of a panic: said {told}, something happened {happened}\n"));
    Ok(())
}

/// No probe costs more than it may.
fn costs(done: &mut Done) -> Result<()> {
    for (name, probes, what) in COSTS {
        let costs = records(&["bench", name, "--set", "trace=off,on"], "traced.jsonl", done)?;
        let of =
            |one: &&serde_json::Map<String, Value>| one.get("bench").is_some_and(|own| own == name);
        let least: Vec<_> =
            costs.iter().filter(of).filter_map(|one| one.get("min")?.as_f64()).collect();
        // A probe costs whole instructions. What is left over a batch pays once, for the registers that they need.
        let cheap =
            matches!(least[..], [off, on] if off < on && (on - off).floor() <= probes * MOST);
        done.count(cheap);
        done.output
            .push_str(&format!("{name}: {least:?} untraced and traced, {probes} probes {what}\n"));
    }
    Ok(())
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
