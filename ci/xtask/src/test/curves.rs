//! The step that measures on several numbers of CPUs, and reads what comes of it.

use anyhow::Result;
use serde_json::{Map, Value};

use super::repeats::records;
use super::steps::{Done, Step, step};

/// The step.
pub fn curves() -> Step {
    step("curves", "figures on 1, 2 and 4 CPUs make a curve, and one that fails stands in it", all)
}

const COUNTS: [u64; 3] = [1, 2, 4];

fn all() -> Result<Done> {
    let mut done = Done::default();
    let words = ["bench", "scale/,kernel/switch", "--full=4,1,2"];
    let lines = records(&words, "curves.jsonl", &mut done)?;
    let of = |name: &str| -> Vec<&Map<String, Value>> {
        lines.iter().filter(|line| line.get("bench").is_some_and(|own| own == name)).collect()
    };
    let mut hold = |holds: bool, what: &str| {
        done.count(holds);
        if !holds {
            done.output.push_str(&format!("{what}\n"));
        }
    };
    for name in ["scale/null_message", "scale/queue_memory", "kernel/switch", "boot/wall"] {
        let counts: Vec<u64> = of(name).iter().map(|line| number(line, "cpus") as u64).collect();
        hold(
            counts == COUNTS,
            &format!("{name} is there once for each number of CPUs, in order: {counts:?}"),
        );
    }
    let pairs = of("scale/pairs");
    let kinds: Vec<_> = pairs.iter().map(|line| line["kind"].as_str().unwrap_or("")).collect();
    hold(kinds == ["skip", "bench", "bench"], "scale/pairs needs two CPUs");
    // The goals of these rows, which no machine of this size misses.
    for name in ["scale/null_message", "scale/pairs", "scale/to_one", "scale/queue_memory"] {
        let measured = of(name).into_iter().filter(|line| line["kind"] == "bench");
        let met = measured.filter(|line| line["goal_met"] == true).count();
        hold(met >= 2, &format!("{name} meets its goal where it is measured"));
    }
    let switches: Vec<f64> = of("kernel/switch").iter().map(|line| number(line, "min")).collect();
    hold(
        switches.windows(2).all(|two| two[0] == two[1]),
        "a switch costs the same on any number of CPUs",
    );
    let boots = lines.iter().filter(|line| line["kind"] == "boot");
    hold(
        boots.filter(|line| line["ok"] == true).count() == COUNTS.len(),
        "each boot came to its end",
    );

    // A kernel that ends before its time leaves a record, and the others go on.
    let words = ["bench", "kernel/switch", "--full=1,2", "--quick", "--plant", "panic"];
    let mut lost = Done::default();
    let lines = records(&words, "curves-lost.jsonl", &mut lost)?;
    let said = |line: &&Map<String, Value>| {
        line["kind"] == "boot"
            && line["ok"] == false
            && line["message"].as_str().is_some_and(|why| !why.is_empty())
    };
    done.count(lost.failed == 1 && lines.iter().filter(said).count() == 2);
    done.output.push_str(&lost.output);
    Ok(done)
}

fn number(line: &Map<String, Value>, key: &str) -> f64 {
    line.get(key).and_then(Value::as_f64).unwrap_or(f64::NAN)
}
