//! What came out of a run: results kept for the table, and records written as JSON lines while they arrive.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use bench_report::json::{self, Raw};
use bench_report::{BenchResult, Collector, Event, Goals, RunKey, StressResult, record_bytes};
use runner::Frame;

use crate::guest;
use crate::why::Paths;

/// A test, benchmark or stress test that has ended.
pub struct Part {
    /// Its name.
    pub name: String,
    /// Whether it passed.
    pub ok: bool,
    /// What was shown, or what failed.
    pub message: String,
}

/// The results of one run.
pub struct Collected {
    /// What the figures depend on.
    pub key: RunKey,
    /// Benchmarks that ended.
    pub benches: Vec<BenchResult>,
    /// Stress tests that ended.
    pub stress: Vec<StressResult>,
    /// All that ended, tests too, in that order.
    pub parts: Vec<Part>,
    /// Whether the kernel has said that its run is over: then no part is missing.
    pub over: bool,
    /// What could be run, when that was the question: name and one sentence.
    pub offers: Vec<(String, String)>,
    /// Instructions that were written down.
    pub paths: Paths,
    /// Records that made no sense.
    pub errors: Vec<String>,
    /// The benchmark that has begun.
    running: String,
    collector: Collector,
    goals: Goals,
    writers: Vec<Lines>,
}

impl Collected {
    /// Nothing yet; records will go to `writers`.
    pub fn new(key: RunKey, writers: Vec<Lines>) -> Self {
        Self {
            key,
            benches: Vec::new(),
            stress: Vec::new(),
            parts: Vec::new(),
            over: false,
            offers: Vec::new(),
            paths: Paths::default(),
            errors: Vec::new(),
            running: String::new(),
            collector: Collector::default(),
            goals: Goals::builtin(),
            writers,
        }
    }

    /// Takes what the runner heard.
    pub fn event(&mut self, event: &runner::Event<'_>) {
        match event {
            runner::Event::Probed(probe) => self.key.qemu.clone_from(&probe.version),
            runner::Event::Frame(frame) => self.frame(frame),
            runner::Event::Path(steps) => self.paths.executed(steps),
            _ => {}
        }
    }

    fn frame(&mut self, frame: &Frame) {
        let Some(bytes) = frame.level.is_none().then(|| record_bytes(&frame.message)).flatten()
        else {
            return;
        };
        match self.collector.feed(&bytes) {
            Ok(Event::Path { empty, ticks }) => {
                self.paths.explained(&self.running, frame.cpu, empty, ticks);
            }
            Ok(event) => self.take(event),
            Err(error) => self.errors.push(error.to_string()),
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Start(start) => guest::complete(&mut self.key, &start),
            Event::BenchBegin(name) => self.running = name,
            Event::Bench(result) => {
                for lines in &mut self.writers {
                    lines.write(&json::bench(&result, &self.goals, &self.key, lines.raw));
                }
                self.part(&result.name, result.ok, &result.message);
                self.benches.push(result);
            }
            Event::BenchSkip { name, reason } => self.write(json::skip(&name, &reason, &self.key)),
            Event::Stress(result) => {
                self.write(json::stress(&result, &self.key));
                self.part(&result.name, result.ok, &result.message);
                self.stress.push(result);
            }
            Event::Test { name, ok, message } => {
                self.write(json::test(&name, ok, &message, &self.key));
                self.part(&name, ok, &message);
            }
            Event::End { .. } => self.over = true,
            Event::BenchInfo { name, doc, .. } | Event::StressInfo { name, doc } => {
                self.offers.push((name, doc))
            }
            _ => {}
        }
    }

    fn part(&mut self, name: &str, ok: bool, message: &str) {
        self.parts.push(Part { name: name.to_owned(), ok, message: message.to_owned() });
    }

    fn write(&mut self, line: String) {
        for lines in &mut self.writers {
            lines.write(&line);
        }
    }

    /// Whether anything was run.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Whether all that ended passed.
    pub fn passed(&self) -> bool {
        self.errors.is_empty() && self.parts.iter().all(|part| part.ok)
    }

    /// Closes the files; the first that did not take all.
    pub fn close(&mut self) -> Result<(), String> {
        self.writers.drain(..).try_for_each(Lines::close)
    }
}

/// A file of JSON lines. A full disk is found out at the end, and does not stop the run.
pub struct Lines {
    path: PathBuf,
    raw: Raw,
    out: Box<dyn Write + Send>,
    broken: Option<io::Error>,
}

impl Lines {
    /// Opens the file, `-` is standard output; with all samples or without.
    pub fn open(path: &Path, raw: Raw) -> Result<Self, String> {
        let out: Box<dyn Write + Send> = if path.as_os_str() == "-" {
            Box::new(io::stdout())
        } else {
            let file = File::create(path).map_err(|error| said(path, &error))?;
            Box::new(BufWriter::new(file))
        };
        Ok(Self { path: path.to_owned(), raw, out, broken: None })
    }

    /// Writes a line.
    pub fn write(&mut self, line: &str) {
        if self.broken.is_none() {
            self.broken = writeln!(self.out, "{}", line.trim_end()).err();
        }
    }

    /// What could not be written, if anything.
    pub fn close(mut self) -> Result<(), String> {
        match self.broken.take().or_else(|| self.out.flush().err()) {
            Some(error) => Err(said(&self.path, &error)),
            None => Ok(()),
        }
    }
}

fn said(path: &Path, error: &io::Error) -> String {
    format!("records cannot be written to {}: {error}", path.display())
}

#[cfg(test)]
mod tests;
