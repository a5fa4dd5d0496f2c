//! The step that shows that figures are the same on every run, whatever the host is doing.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use super::steps::{Done, Step, run, step};
use crate::place;

/// The step.
pub fn repeats() -> Step {
    step("repeats", "a run on a busy host gives the records of a run on this one", twice)
}

/// Two runs, one while all CPUs of the host are kept busy: each benchmark is a test, all of its record must be the same.
fn twice() -> Result<Done> {
    let mut done = Done::default();
    let calm = records(&["bench"], "calm.jsonl", &mut done)?;
    let busy = while_busy(|| records(&["bench"], "busy.jsonl", &mut done))?;
    let count = calm.len().max(busy.len());
    if count == 0 {
        done.count(false);
    }
    for number in 0..count {
        let (a, b) = (calm.get(number), busy.get(number));
        done.count(a == b);
        if a != b {
            done.output.push_str(&difference(a, b));
        }
    }
    Ok(done)
}

/// The records of a run of this program with these words; `name` is the file that they go to.
pub fn records(words: &[&str], name: &str, done: &mut Done) -> Result<Vec<Map<String, Value>>> {
    let path = place::made().join(name);
    let mut own = Command::new(place::myself());
    own.current_dir(place::root()).args(words).arg("--json").arg(&path);
    let (fine, output) = run(&mut own)?;
    done.output.push_str(&output);
    if !fine {
        done.failed += 1;
    }
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

/// The fields in which two records differ.
fn difference(a: Option<&Map<String, Value>>, b: Option<&Map<String, Value>>) -> String {
    let (Some(a), Some(b)) = (a, b) else {
        return "one run had more records than the other\n".to_owned();
    };
    let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let differs = keys.into_iter().filter(|key| a.get(*key) != b.get(*key));
    let show = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
    let bench = show(a.get("bench"));
    differs
        .map(|key| format!("{bench} {key}: {} and {}\n", show(a.get(key)), show(b.get(key))))
        .collect()
}

/// Runs `f` while a thread for each CPU of the host does nothing, busily.
fn while_busy<R>(f: impl FnOnce() -> R) -> R {
    /// Ends the threads, also when `f` panics.
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let over = AtomicBool::new(false);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let _over = Over(&over);
        for _ in 0..threads {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        f()
    })
}

#[cfg(test)]
mod tests;
