//! The step that reads records as bench/README.md says.

use std::process::Command;

use anyhow::{Context, Result};

use super::steps::{Done, Step, run, step};
use crate::place;

/// The step.
pub fn pandas() -> Step {
    let what = "the lines of Python in bench/README.md read the records of a run";
    step("pandas", what, read)
}

/// Runs what bench/README.md shows on the records of a run, where Python has pandas.
fn read() -> Result<Done> {
    let mut look = Command::new("python3");
    if !look.args(["-c", "import pandas"]).output().is_ok_and(|output| output.status.success()) {
        return Ok(Done::skipped("there is no python3 with pandas here"));
    }
    let folder = place::made().join("pandas");
    std::fs::create_dir_all(&folder)?;
    let mut bench = Command::new(crate::place::myself());
    bench.args(["bench", "kernel/switch,user/yield", "--quick", "--json"]);
    let records = folder.join("run.jsonl");
    let (fine, mut output) = run(bench.current_dir(place::root()).arg(&records))?;
    let readme = std::fs::read_to_string(place::root().join("bench/README.md"))?;
    let snippet = readme.split_once("```python\n").and_then(|(_, rest)| rest.split_once("```"));
    let (snippet, _) = snippet.context("bench/README.md shows no Python")?;
    let mut python = Command::new("python3");
    let (fine_too, text) = run(python.current_dir(&folder).args(["-c", snippet]))?;
    output.push_str(&text);
    let shown = ["G3", "kernel/switch", "G2", "user/yield"].iter().all(|word| text.contains(word));
    let passed = fine && fine_too && shown;
    Ok(Done { passed: passed.into(), failed: (!passed).into(), output, ..Done::default() })
}
