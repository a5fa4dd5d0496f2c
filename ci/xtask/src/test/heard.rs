//! What a step that boots the kernel keeps of it: a line for each part, and below that of a part that failed, what the
//! programs and the kernel said meanwhile.

use anyhow::{Result, bail};
use bench_report::RunKey;
use runner::{Event, Outcome, Report, Request, explain};

use super::steps::Done;
use crate::collect::{Collected, Part};

/// One boot, heard to its end.
pub struct Heard {
    /// What came out.
    pub collected: Collected,
    /// How it ended.
    pub report: Report,
    /// Whether it came to its end by itself, after something was run, and all of that was heard.
    pub ended_well: bool,
    /// All of it in lines.
    pub told: String,
}

/// Boots and listens until the end; the boot goes by this name.
pub fn hear(request: &Request, name: &str) -> Result<Heard> {
    hear_into(request, name, Collected::new(RunKey::default(), Vec::new()))
}

/// The same, of a run whose figures depend on something, or are kept.
pub fn hear_into(request: &Request, name: &str, mut collected: Collected) -> Result<Heard> {
    let (mut said, mut told) = (Vec::new(), String::new());
    let report = runner::run(request, &mut |event: Event<'_>| {
        if let Event::Frame(frame) = &event {
            said.extend(explain::said(frame));
        }
        let before = collected.parts.len();
        collected.event(&event);
        for part in &collected.parts[before..] {
            told.push_str(&tell(name, part, std::mem::take(&mut said)));
        }
    })?;
    if let Outcome::Interrupted { .. } = report.outcome {
        bail!("interrupted");
    }
    let whole = collected.over && collected.errors.is_empty() && !collected.is_empty();
    let ended_well = report.outcome == Outcome::Success && whole;
    if !ended_well {
        told.push_str(&format!("{name}: the run ended with {}\n", report.outcome.name()));
        if collected.is_empty() {
            told.push_str("    nothing was run at all\n");
        }
        if !collected.over {
            told.push_str("    the kernel did not say that its run is over\n");
        }
        let lines = explain::lines(&report, request, None);
        told.push_str(&indented(said.iter().chain(&collected.errors).chain(&lines)));
    }
    Ok(Heard { collected, report, ended_well, told })
}

/// A part's line, and what was said before it, if it failed.
fn tell(name: &str, part: &Part, said: Vec<String>) -> String {
    let verdict = if part.ok { "ok" } else { "FAILED" };
    let line = format!("{name}: {} {verdict} {}", part.name, part.message);
    let said = if part.ok { String::new() } else { indented(said.iter()) };
    format!("{}\n{said}", line.trim_end())
}

fn indented<'a>(lines: impl Iterator<Item = &'a String>) -> String {
    lines.map(|line| format!("    {line}\n")).collect()
}

impl Heard {
    /// Counts each part as a test, and the end.
    pub fn count(&self, done: &mut Done) {
        self.collected.parts.iter().for_each(|part| done.count(part.ok));
        done.count(self.ended_well);
        done.output.push_str(&self.told);
    }
}

#[cfg(test)]
mod tests;
