//! What came out of a run: results kept for the table, and records written as JSON lines while they arrive.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process;

use bench_report::json::{self, Raw};
use bench_report::timeline::Timeline;
use bench_report::{BenchResult, Collector, Event, Goals, RunKey, StressResult, record_bytes};
use runner::{Frame, Outcome};

use crate::why::Paths;
use crate::{Status, guest};

/// A test, benchmark or stress test that has ended.
pub struct Part {
    /// Its name.
    pub name: String,
    /// Whether it passed.
    pub ok: bool,
    /// What was shown, or what failed.
    pub message: String,
}

/// Something that could be run.
pub struct Offer {
    /// Its name.
    pub name: String,
    /// What it measures or shows, in a sentence.
    pub doc: String,
    /// What its figures should look like.
    pub shape: String,
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
    /// What could be run, when that was the question.
    pub offers: Vec<Offer>,
    /// Ticks in a second, as the kernel calibrated them; 0 before it has said.
    pub tick_hz: u64,
    /// What probes recorded.
    pub timeline: Timeline,
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
            tick_hz: 0,
            timeline: Timeline::default(),
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
            runner::Event::Logs(logs) => {
                self.timeline = Timeline::default();
                for log in *logs {
                    self.timeline.recover(log.cpu, log.lost, &log.counts, &log.records);
                }
            }
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
            Event::Start(start) => {
                guest::complete(&mut self.key, &start);
                self.tick_hz = start.tick_hz;
            }
            Event::BenchBegin(name) => self.running = name,
            Event::Bench(result) => self.bench(result),
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
            Event::PlayedGroup { name, group, counts } => {
                self.write(json::played_group(&name, &group, &counts, &self.key));
            }
            Event::Played { name, cpus: _, ok, counts, message } => {
                self.write(json::played(&name, (ok, &message), &counts, &self.key));
                self.part(&name, ok, &message);
            }
            Event::End { .. } => self.over = true,
            Event::Timeline { cpu, lost, counts } => self.timeline.begin(cpu, lost, counts),
            Event::Happened(records) => self.timeline.take(&records),
            Event::BenchInfo { name, doc, shape, .. } => {
                self.offers.push(Offer { name, doc, shape });
            }
            Event::StressInfo { name, doc } => {
                self.offers.push(Offer { name, doc, shape: String::new() });
            }
            _ => {}
        }
    }

    /// Writes a result down that is of no benchmark of the run.
    pub fn beside(&mut self, result: &BenchResult) {
        for lines in &mut self.writers {
            lines.write(&json::bench(result, &self.goals, &self.key, lines.raw));
        }
    }

    /// Takes a result: the guest's, or one that was measured from outside.
    pub fn bench(&mut self, result: BenchResult) {
        self.beside(&result);
        self.part(&result.name, result.ok, &result.message);
        self.benches.push(result);
    }

    /// Says how the boot went.
    pub fn boot(&mut self, ok: bool, message: &str) {
        self.write(json::boot(ok, message, &self.key));
    }

    /// The benchmark that has begun last.
    pub fn running(&self) -> &str {
        &self.running
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

    /// How a run went that ended so.
    pub fn status(&self, outcome: &Outcome) -> Status {
        match Status::of(outcome) {
            Status::Passed if !self.passed() => Status::Failed,
            status => status,
        }
    }

    /// The files, for whoever writes on or closes them.
    pub fn take_lines(&mut self) -> Vec<Lines> {
        std::mem::take(&mut self.writers)
    }
}

/// A file of JSON lines. A full disk is found out at the end, and does not stop the run.
///
/// Law: what was there stays until the run is over; then the new lines take its place, all at once.
pub struct Lines {
    path: PathBuf,
    raw: Raw,
    out: Box<dyn Write + Send>,
    /// The file that is written meanwhile.
    fresh: Option<PathBuf>,
    broken: Option<io::Error>,
}

impl Lines {
    /// Opens the file, `-` is standard output; with all samples or without.
    ///
    /// # Errors
    /// It cannot be written, or holds something that is no record.
    pub fn open(path: &Path, raw: Raw) -> Result<Self, String> {
        let mut fresh = None;
        let out: Box<dyn Write + Send> = if path.as_os_str() == "-" {
            Box::new(io::stdout())
        } else {
            let place = match fs::metadata(path) {
                Ok(there) if there.is_file() => {
                    holds_records(path)?;
                    // Not a link to it: what it leads to is replaced.
                    fs::canonicalize(path).map_err(|error| said(path, &error))?
                }
                // A device, or what cannot be written to, as the next line finds out.
                Ok(_) => {
                    return Ok(Self::of(
                        path,
                        raw,
                        Box::new(BufWriter::new(create(path, path)?)),
                        None,
                    ));
                }
                Err(_) => path.to_owned(),
            };
            let part = part_of(&place);
            let file = create(&part, path)?;
            fresh = Some(part);
            Box::new(BufWriter::new(file))
        };
        Ok(Self::of(path, raw, out, fresh))
    }

    fn of(path: &Path, raw: Raw, out: Box<dyn Write + Send>, fresh: Option<PathBuf>) -> Self {
        Self { path: path.to_owned(), raw, out, fresh, broken: None }
    }

    /// Writes a line.
    pub fn write(&mut self, line: &str) {
        if self.broken.is_none() {
            self.broken = writeln!(self.out, "{}", line.trim_end()).err();
        }
    }

    /// Puts the lines in their place. What could not be written, if anything.
    pub fn close(mut self) -> Result<(), String> {
        let flushed = self.broken.take().or_else(|| self.out.flush().err());
        let done = match (flushed, self.fresh.take()) {
            (Some(error), fresh) => {
                self.fresh = fresh;
                Err(error)
            }
            (None, Some(fresh)) => {
                let to = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
                fs::rename(fresh, to)
            }
            (None, None) => Ok(()),
        };
        done.map_err(|error| said(&self.path, &error))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if let Some(fresh) = &self.fresh {
            let _ = fs::remove_file(fresh);
        }
    }
}

/// The file that is written until it takes the place of `path`; what runs left there that were killed is taken away.
pub fn part_of(path: &Path) -> PathBuf {
    let named = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}.part"));
        PathBuf::from(name)
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let others = fs::read_dir(folder.unwrap_or(Path::new("."))).into_iter().flatten().flatten();
    let start = format!("{}.", path.file_name().unwrap_or_default().to_string_lossy());
    for other in others.map(|other| other.file_name().to_string_lossy().into_owned()) {
        let number = other.strip_prefix(&start).and_then(|rest| rest.strip_suffix(".part"));
        if let Some(number) =
            number.and_then(|number| number.parse().ok()).filter(|one| is_over(*one))
        {
            let _ = fs::remove_file(named(number));
        }
    }
    named(process::id())
}

/// Whether a process is over, where that can be seen.
fn is_over(process: u32) -> bool {
    let all = Path::new("/proc");
    all.join("self").exists() && !all.join(process.to_string()).exists()
}

fn create(file: &Path, path: &Path) -> Result<File, String> {
    File::create(file).map_err(|error| said(path, &error))
}

/// Nothing but records is replaced by records.
pub fn holds_records(path: &Path) -> Result<(), String> {
    let mut first = [0];
    let read = File::open(path).and_then(|mut file| file.read(&mut first));
    match read.map_err(|error| said(path, &error))? {
        0 => Ok(()),
        _ if first == *b"{" => Ok(()),
        _ => Err(format!("{} holds something else than records; it is left alone", path.display())),
    }
}

fn said(path: &Path, error: &io::Error) -> String {
    format!("records cannot be written to {}: {error}", path.display())
}

#[cfg(test)]
mod tests;
