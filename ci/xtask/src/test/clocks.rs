//! The step that shows that boot sees whether the CPUs' clocks agree, and what a run says and leaves out when they do not.

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use super::repeats::records;
use super::steps::{Done, Step, step};

/// One benchmark that compares times of two CPUs, and one that does not.
const BENCHES: [&str; 2] = ["ipi/one_way", "kernel/switch"];
/// Machines whose clocks agree: in mode `insns` all CPUs have one.
const SOUND: [[&str; 4]; 3] = [
    ["--smp", "4", "--mode", "insns"],
    ["--smp", "64", "--mode", "insns"],
    ["--smp", "4", "--mode", "tcg"],
];
/// In mode `insns` a question and its answer take fewer instructions.
const INSNS: u64 = 200;
/// What the plant adds to the clock of the last CPU.
const AHEAD: u64 = 1_000_000;

/// The step.
pub fn clocks() -> Step {
    step("clocks", "boot finds clocks of CPUs that agree, and one that does not", || {
        let mut done = Done::default();
        for machine in SOUND {
            let found = measured(&machine, &mut done)?;
            let exact = machine[3] != "insns" || found.within < INSNS;
            found.judge(found.apart == 0 && exact && found.measured == BENCHES, &mut done);
        }
        let before = done.output.len();
        let found = measured(&["--plant", "clock"], &mut done)?;
        let told = done.output[before..].contains("warning: the clock of CPU 3 is ");
        let near = AHEAD - INSNS..=AHEAD;
        let left_out = found.skipped == BENCHES[..1] && found.measured == BENCHES[1..];
        let right = told && near.contains(&found.apart) && found.within >= AHEAD && left_out;
        found.judge(right, &mut done);
        Ok(done)
    })
}

/// What a run found.
#[derive(Debug)]
struct Found {
    within: u64,
    apart: u64,
    measured: Vec<String>,
    skipped: Vec<String>,
}

/// Runs the benchmarks on a machine.
fn measured(machine: &[&str], done: &mut Done) -> Result<Found> {
    let filter = BENCHES.join(",");
    let words = [&["bench", &filter, "--quick"], machine].concat();
    let records = records(&words, "clocks.jsonl", done)?;
    let number = |key: &str| -> Result<u64> {
        let first = records.first().context("no record")?;
        first.get(key).and_then(Value::as_u64).with_context(|| key.to_owned())
    };
    let of = |kind: &str| -> Vec<String> {
        let text = |record: &Map<String, Value>, key: &str| {
            record.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let all = records.iter().filter(|record| text(record, "kind") == kind);
        all.map(|record| text(record, "bench")).collect()
    };
    Ok(Found {
        within: number("clock_within")?,
        apart: number("clock_apart")?,
        measured: of("bench"),
        skipped: of("skip"),
    })
}

impl Found {
    fn judge(&self, right: bool, done: &mut Done) {
        done.count(right);
        if !right {
            done.output.push_str(&format!("that is not what must be found: {self:?}\n"));
        }
    }
}
