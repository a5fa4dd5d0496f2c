//! The step that shows that a seed makes the order of events: other seeds other orders, the same seed the same.

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context, Result};
use serde_json::Value;

use super::repeats::records;
use super::steps::{Done, Step, step};

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
    let words = ["stress", &TESTS.join(","), "--quick", "--seeds", seeds];
    let parsed = records(&words, "orders.jsonl", done)?.into_iter().map(|record| {
        let text = |key: &str| record.get(key).and_then(Value::as_str).map(str::to_owned);
        let seed = record.get("seed").and_then(Value::as_u64);
        let (name, trace) = (text("stress").context("a name")?, text("trace").context("a trace")?);
        Ok(((name, seed.context("a seed")?), trace))
    });
    parsed.collect()
}
