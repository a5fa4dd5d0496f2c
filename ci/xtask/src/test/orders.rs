//! The step that shows that a seed makes the order of events: other seeds other orders, the same seed the same.

use std::collections::{BTreeMap, HashSet};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::steps::{Done, Step, run, step};
use crate::place;

/// One stress test in the kernel, and one above it.
const TESTS: [&str; 2] = ["kernel/ports", "user/sync"];
/// Of 100 seeds at least so many make different orders.
const LEAST: usize = 95;

/// The step.
pub fn orders() -> Step {
    step(
        "orders",
        "100 seeds make at least 95 orders of events; a seed makes its own again",
        || {
            let mut done = Done::default();
            let all = traces("1..100", &mut done)?;
            for test in TESTS {
                let of = all.iter().filter(|((name, _), _)| name == test);
                let (seeds, orders) =
                    (of.clone().count(), of.map(|(_, trace)| trace).collect::<HashSet<_>>().len());
                done.count(seeds == 100 && orders >= LEAST);
                done.output.push_str(&format!("{test}: {seeds} seeds, {orders} orders\n"));
            }
            for (key, trace) in traces("1..5", &mut done)? {
                let alike = all.get(&key) == Some(&trace);
                done.count(alike);
                if !alike {
                    done.output
                        .push_str(&format!("{key:?} made another order when it ran again\n"));
                }
            }
            Ok(done)
        },
    )
}

/// The digest of the order of each test under each of these seeds.
fn traces(seeds: &str, done: &mut Done) -> Result<BTreeMap<(String, u64), String>> {
    let path = place::made().join("orders.jsonl");
    let mut stress = Command::new(place::myself());
    stress
        .current_dir(place::root())
        .args(["stress", &TESTS.join(","), "--quick", "--seeds", seeds, "--json"])
        .arg(&path);
    let (fine, output) = run(&mut stress)?;
    done.output.push_str(&output);
    done.failed += usize::from(!fine);
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let parsed = text.lines().map(|line| {
        let record: Value = serde_json::from_str(line)?;
        let (name, seed, trace) = (&record["stress"], &record["seed"], &record["trace"]);
        let of = |value: &Value| value.as_str().map(str::to_owned).context("a text");
        Ok(((of(name)?, seed.as_u64().context("a seed")?), of(trace)?))
    });
    parsed.collect()
}
