//! `./x trace`: one run of a kernel that was built to be traced, and its timeline as a file.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bench_report::timeline::{Facts, Timeline};
use runner::Mode;
use runner::symbols::{Symbols, demangle};

use crate::cli::{Choice, Output, Rows, TraceArgs};
use crate::collect::{self, Collected};
use crate::run::{Run, run};
use crate::settings::Axis;
use crate::{Status, place};

/// Runs what was asked for and writes what happened.
pub fn trace(args: &TraceArgs) -> Result<Status> {
    let mut machine = args.machine.clone();
    // One that somebody brought says itself if it was not built for it.
    if machine.image.is_none() {
        machine.set.push(Axis::known("trace=on")?);
    }
    let choice = Choice { filter: Some(args.filter.clone()), list: false };
    let path = args.output.clone().unwrap_or_else(|| place::made().join("timeline.json"));
    let file = match Fresh::open(&path) {
        Ok(file) => file,
        Err(error) => {
            crate::complain!("x: {error}");
            return Ok(Status::Usage);
        }
    };
    run(&Run {
        parts: "bench,stress",
        choice: &choice,
        machine: &machine,
        seed: args.seed.seed,
        output: &Output { json: None, quick: args.quick },
        rows: Rows::default(),
        baseline: None,
        timeline: Some(&file),
    })
}

/// A file for a timeline. What was there stays until the new one is whole.
pub struct Fresh {
    path: PathBuf,
    part: PathBuf,
}

impl Fresh {
    fn open(path: &Path) -> Result<Self, String> {
        if path.exists() {
            collect::holds_records(path)?;
        }
        let part = collect::part_of(path);
        File::create(&part).map_err(|error| {
            format!("a timeline cannot be written to {}: {error}", path.display())
        })?;
        Ok(Self { path: path.to_owned(), part })
    }

    /// Writes what was collected; what to say about it, line by line.
    ///
    /// # Errors
    /// There is nothing to write, or it cannot be written.
    pub fn write(&self, collected: &Collected, kernel: &Path) -> Result<Vec<String>> {
        let timeline = &collected.timeline;
        anyhow::ensure!(!timeline.is_empty(), "the kernel sent no timeline");
        let symbols = Symbols::read(&fs::read(kernel).context("the kernel")?)?;
        let function = |address| symbols.function(address).map(|name| short(&demangle(name)));
        // Where a tick is an instruction it stands for a nanosecond, to the last digit.
        let insns = collected.key.mode == Mode::Insns.name();
        let tick_hz = if insns { 1_000_000_000 } else { collected.tick_hz.max(1) };
        let mut out = BufWriter::new(File::create(&self.part)?);
        timeline.write(&mut out, &Facts { tick_hz, function: &function })?;
        out.flush()?;
        fs::rename(&self.part, &self.path)?;
        Ok(said(&self.path, timeline))
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.part);
    }
}

fn said(path: &Path, timeline: &Timeline) -> Vec<String> {
    let mut lines = vec!["events of the whole run, over all CPUs".to_owned()];
    for (kind, count) in timeline.counts().into_iter().filter(|(_, count)| *count > 0) {
        lines.push(format!("  {:<10} {count:>10}  {}", kind.name(), kind.doc().trim()));
    }
    let (events, (lost, unknown)) = (timeline.events(), timeline.lost());
    let path = place::shown(path);
    if timeline.is_recovered {
        lines.push("the kernel ended early: this is what its logs held then".to_owned());
    }
    lines.push(format!("timeline {path} ({events} events; {lost} older ones were not kept)"));
    if unknown > 0 {
        lines.push(format!("         {unknown} records of a kind that this program does not know"));
    }
    lines.push("open it  https://ui.perfetto.dev, or chrome://tracing".to_owned());
    lines
}

/// The last two parts of a path, without what the compiler added.
fn short(function: &str) -> String {
    let parts: Vec<_> = function.split("::").filter(|part| !part.starts_with('{')).collect();
    parts[parts.len().saturating_sub(2)..].join("::")
}
