//! From the events of a run to the lines of the screen.

use std::time::{Duration, Instant};

use bench_api::text::Clocks;
use bench_api::wire::Record;

use super::{Screen, Verdict, duration};
use crate::{Apic, Event, Frame, Level, Mode, Outcome, Probe, Report, Request, Sink, explain};

/// What stands in the first line and is not the runner's to find out.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Version of the kernel.
    pub version: String,
    /// Git revision, with `+` where the tree is dirty.
    pub revision: String,
    /// Version of the compiler.
    pub rustc: String,
    /// Whether to show the kernel's log.
    pub verbose: bool,
}

/// What was counted on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Benchmarks started and passed; a skipped one counts for neither.
    pub benches: (u32, u32),
    /// Benchmarks skipped.
    pub skipped: u32,
    /// Stress tests started and passed.
    pub stress: (u32, u32),
    /// In-kernel tests started and passed.
    pub tests: (u32, u32),
}

impl Tally {
    /// Returns how many of anything failed.
    pub fn failed(&self) -> u32 {
        [self.benches, self.stress, self.tests].iter().map(|(begun, passed)| begun - passed).sum()
    }
}

/// Draws a run while it goes on.
///
/// `table` is asked once, when the last benchmark has ended, for what is to stand below the
/// benchmarks' line.
pub struct Live<'w> {
    screen: Screen<'w>,
    facts: Facts,
    request: Request,
    table: Box<dyn FnMut() -> String + 'w>,
    started: Instant,
    phase_began: Instant,
    part_began: Instant,
    now: Option<Part>,
    tally: Tally,
    stress: Vec<Line>,
    /// What the guest said since the part under way began: shown when it fails.
    said: Vec<String>,
    tick_hz: Option<u64>,
    benches_done: bool,
    tests_done: bool,
}

struct Part {
    kind: &'static str,
    name: String,
}

struct Line {
    name: String,
    what: String,
    verdict: Verdict,
    took: Duration,
}

impl<'w> Live<'w> {
    /// A screen for one run of `request`.
    pub fn new(
        screen: Screen<'w>,
        facts: Facts,
        request: &Request,
        table: impl FnMut() -> String + 'w,
    ) -> Self {
        let now = Instant::now();
        Live {
            screen,
            facts,
            request: request.clone(),
            table: Box::new(table),
            started: now,
            phase_began: now,
            part_began: now,
            now: None,
            tally: Tally::default(),
            stress: Vec::new(),
            said: Vec::new(),
            tick_hz: None,
            benches_done: false,
            tests_done: false,
        }
    }

    /// Draws what is left when the run has ended, and the failure if it is one. Returns the
    /// screen for the last lines.
    pub fn finish(mut self, report: &Report) -> (Screen<'w>, Tally) {
        if let (Outcome::Interrupted { .. }, Some(part)) = (&report.outcome, &self.now) {
            // What was under way has not failed.
            match part.kind {
                "bench" => self.tally.benches.0 -= 1,
                "stress" => self.tally.stress.0 -= 1,
                _ => self.tally.tests.0 -= 1,
            }
        }
        self.end_benches();
        self.end_stress();
        self.end_tests();
        if report.outcome != Outcome::Success {
            self.show_said();
            let at = self.now.as_ref().map(|part| format!("{} {}", part.kind, part.name));
            for line in explain::lines(report, &self.request, at.as_deref()) {
                self.screen.line(&line);
            }
        }
        (self.screen, self.tally)
    }

    /// The test under way has ended: what the guest said meanwhile is of interest if it failed.
    fn end_part(&mut self, ok: bool) {
        self.now = None;
        if !ok {
            self.show_said();
        }
        self.said.clear();
    }

    fn show_said(&mut self) {
        for line in self.said.drain(..) {
            self.screen.line(&line);
        }
    }

    fn probed(&mut self, probe: &Probe) {
        let x2apic =
            self.request.apic == Apic::Best && (probe.x2apic || self.request.mode == Mode::Kvm);
        let cpus = self.request.cpus;
        self.screen.items(&[
            format!("damselfly {} ({})", self.facts.version, self.facts.revision),
            format!("rustc {}", self.facts.rustc),
            format!("QEMU {}", probe.version),
            if x2apic { "x2APIC" } else { "xAPIC" }.into(),
            format!("{cpus} CPU{}", if cpus == 1 { "" } else { "s" }),
            format!("seed {}", self.request.seed),
        ]);
        let mode = self.request.mode;
        self.screen.wrapped(&format!("mode {mode}: {}", mode.meaning()), 2);
    }

    fn frame(&mut self, frame: &Frame) {
        let Some(bytes) = frame.record() else {
            if self.facts.verbose || frame.level >= Some(Level::Warn) {
                self.screen.log(frame, self.tick_hz);
            }
            return;
        };
        match Record::decode(&bytes) {
            Ok(record) => self.record(&record),
            Err(error) => self.screen.line(&format!("x: a record that is none: {error:?}")),
        }
    }

    fn record(&mut self, record: &Record<'_>) {
        match *record {
            Record::RunBegin {
                cpus,
                cpus_expected,
                tick_hz,
                clock_within,
                clock_apart,
                clock_cpu,
                variants,
                ..
            } => {
                self.tick_hz = Some(tick_hz);
                let verdict = if cpus == cpus_expected { Verdict::Ok } else { Verdict::Fail };
                let plural = if cpus_expected == 1 { "" } else { "s" };
                let clocks = Clocks { within: clock_within, apart: clock_apart, cpu: clock_cpu };
                let mut what = format!("{cpus} of {cpus_expected} CPU{plural}");
                if cpus > 1 && clock_apart == 0 {
                    what.push_str(&format!(" ({clocks})"));
                }
                let took = self.started.elapsed();
                self.screen.step("boot", &what, verdict, Some(took));
                if clock_apart != 0 {
                    self.screen.wrapped(&format!("     {clocks}"), 5);
                }
                if !variants.is_empty() {
                    self.screen.line(&format!("     built with {variants}"));
                }
                self.phase_began = Instant::now();
            }
            Record::BenchBegin { name } => {
                self.begin("bench", name);
                self.tally.benches.0 += 1;
            }
            Record::BenchEnd { name, ok, message, .. } => {
                self.end_part(ok);
                self.tally.benches.1 += u32::from(ok);
                if !ok {
                    let took = Some(self.part_began.elapsed());
                    self.screen.part(name, message, Verdict::Fail, took);
                }
            }
            Record::BenchSkip { name, reason } => {
                self.now = None;
                self.tally.benches.0 -= 1;
                self.tally.skipped += 1;
                self.screen.part(name, reason, Verdict::Skip, None);
            }
            Record::StressBegin { name, .. } => {
                self.end_benches();
                self.begin("stress", name);
                self.tally.stress.0 += 1;
            }
            Record::StressEnd { name, ok, message, .. } => {
                self.end_part(ok);
                self.tally.stress.1 += u32::from(ok);
                self.stress.push(Line {
                    name: name.to_owned(),
                    what: message.to_owned(),
                    verdict: if ok { Verdict::Ok } else { Verdict::Fail },
                    took: self.part_began.elapsed(),
                });
            }
            Record::TestBegin { name } => {
                self.begin("test", name);
                self.tally.tests.0 += 1;
            }
            Record::TestEnd { name, ok, message } => {
                self.end_part(ok);
                self.tally.tests.1 += u32::from(ok);
                if !ok || self.facts.verbose {
                    let verdict = if ok { Verdict::Ok } else { Verdict::Fail };
                    let took = Some(self.part_began.elapsed());
                    self.screen.part(name, message, verdict, took);
                }
            }
            Record::Log { .. } | Record::Thread { .. } => {
                let silent = !self.facts.verbose
                    && self.now.is_some()
                    && matches!(record, Record::Log { .. });
                for line in explain::said_by(record) {
                    if silent { self.said.push(line) } else { self.screen.line(&line) }
                }
            }
            Record::RunEnd { lost, .. } => {
                self.end_benches();
                self.end_stress();
                self.end_tests();
                if lost > 0 {
                    self.screen.line(&format!("     {lost} log lines lost: rings full"));
                }
            }
            _ => {}
        }
    }

    fn begin(&mut self, kind: &'static str, name: &str) {
        self.now = Some(Part { kind, name: name.to_owned() });
        self.part_began = Instant::now();
        self.draw_progress();
    }

    fn draw_progress(&mut self) {
        let Some(part) = &self.now else { return };
        let (begun, _) = match part.kind {
            "bench" => self.tally.benches,
            "stress" => self.tally.stress,
            _ => self.tally.tests,
        };
        let took = duration(self.phase_began.elapsed());
        self.screen.moving(&format!("{:<7} {begun}: {}  {took}", part.kind, part.name));
    }

    fn end_benches(&mut self) {
        if self.benches_done || self.tally.benches.0 + self.tally.skipped == 0 {
            return;
        }
        self.benches_done = true;
        self.sum("bench", self.tally.benches, self.tally.skipped);
        let table = (self.table)();
        if !table.is_empty() {
            self.screen.line(table.trim_end_matches('\n'));
        }
    }

    fn end_stress(&mut self) {
        let (begun, passed) = self.tally.stress;
        if self.stress.is_empty() {
            return;
        }
        let what = format!("{passed} of {begun}, seed {}", self.request.seed);
        self.screen.step("stress", &what, Verdict::None, None);
        for line in std::mem::take(&mut self.stress) {
            self.screen.part(&line.name, &line.what, line.verdict, Some(line.took));
        }
    }

    fn end_tests(&mut self) {
        if !self.tests_done && self.tally.tests.0 > 0 {
            self.tests_done = true;
            self.sum("tests", self.tally.tests, 0);
        }
    }

    fn sum(&mut self, label: &str, (begun, passed): (u32, u32), skipped: u32) {
        let verdict = if begun == passed { Verdict::None } else { Verdict::Fail };
        let took = self.phase_began.elapsed();
        let skipped = if skipped == 0 { String::new() } else { format!(", {skipped} skipped") };
        self.screen.step(label, &format!("{passed} of {begun}{skipped}"), verdict, Some(took));
        self.phase_began = Instant::now();
    }
}

impl Sink for Live<'_> {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Probed(probe) => self.probed(probe),
            Event::Command(line) => {
                self.screen.line(&format!("+ {line}"));
                self.started = Instant::now();
            }
            Event::Frame(frame) => self.frame(frame),
            Event::Text(line) => {
                if self.facts.verbose {
                    self.screen.line(&format!("serial: {line}"));
                }
            }
            Event::Debugger(lines) => {
                self.screen.line("QEMU waits for a debugger. In another terminal:");
                for line in lines {
                    self.screen.line(&format!("  {line}"));
                }
            }
            Event::Note(line) => self.screen.line(&format!("x: {line}")),
            Event::Path(_) | Event::Logs(_) | Event::Tick => self.draw_progress(),
        }
    }
}
