//! One run, from the question what QEMU can do to the end of QEMU.
//!
//! Everything that is heard goes through one queue to one loop, which also looks at the clock,
//! at signals and at the child. Whatever ends the loop, the child is dead after it.

use std::{
    collections::VecDeque,
    fs,
    os::unix::process::ExitStatusExt,
    process::{Command, ExitStatus, Stdio},
    sync::mpsc::RecvTimeoutError,
    time::{Duration, Instant},
};

use object::{Object, ObjectSection};
use serde_json::{Value, json};

use crate::{
    CpuStack, Event, Frame, Level, Outcome, Probe, Refusal, Report, Request, Sink, calibrate,
    child::{Child, SignalWatch},
    code,
    command::{self, For},
    kvm,
    listen::{Ears, Heard, Post, STREAMS},
    logs, post_mortem, probe,
    qmp::Monitor,
    request::Mode,
};

/// How many lines and frames are kept for a report.
const KEPT: usize = 60;
/// How often the clock is looked at.
const TICK: Duration = Duration::from_millis(100);

/// Boots the kernel and stays until QEMU has ended.
pub fn run(request: &Request, sink: &mut dyn Sink) -> Result<Report, Refusal> {
    request.check()?;
    let elf = kernel(request)?;
    let signals = SignalWatch::start()?;
    let probe = match probe::ask_watched(&request.qemu, &signals)? {
        Ok(probe) => probe,
        Err(unasked) => {
            let args = probe::ARGUMENTS.iter().map(Into::into).collect::<Vec<_>>();
            let outcome = match unasked.interrupted {
                Some(signal) => Outcome::Interrupted { signal },
                None => Outcome::NotStarted { status: unasked.status },
            };
            return Ok(Report {
                stderr: unasked.stderr,
                command: command::line(&request.qemu, &args),
                ..Report::empty(outcome)
            });
        }
    };
    sink.event(Event::Probed(&probe));
    request.check_with(&probe)?;
    let scale = calibrate::scale(probe.took);
    if request.mode == Mode::Kvm
        && let Some(outcome) = kvm::broken(request, &probe, &elf)?
    {
        let args = command::arguments(request, &probe, For::Person);
        return Ok(Report {
            scale,
            command: command::line(&request.qemu, &args),
            ..Report::empty(outcome)
        });
    }
    boot(request, &probe, &elf, scale, sink)
}

/// Boots the kernel on a QEMU that is known.
pub(crate) fn boot(
    request: &Request,
    probe: &Probe,
    elf: &[u8],
    scale: f64,
    sink: &mut dyn Sink,
) -> Result<Report, Refusal> {
    let signals = SignalWatch::start()?;
    let line = command::line(&request.qemu, &command::arguments(request, probe, For::Person));
    sink.event(Event::Command(&line));
    let post = Post::open()?;
    let mut qemu = Command::new(&request.qemu);
    qemu.args(command::arguments(request, probe, For::Runner(post.wiring())))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let start = Instant::now();
    let mut child = Child::spawn(qemu, &request.qemu)?;
    let ears = post.listen(&mut child, elf.to_vec())?;
    let mut session = Session {
        request,
        elf,
        scale,
        sink,
        post: &post,
        ears,
        child,
        signals,
        start,
        last_sign: start,
        monitor: None,
        running: false,
        over: false,
        ended_streams: 0,
        reset: false,
        powered_off: false,
        panicked: None,
        panic_told: false,
        deadlock: false,
        garbage: 0,
        looks: watch::Looks::default(),
        marks: follow::Marks::default(),
        report: Report { scale, command: line, ..Report::empty(Outcome::PoweredOff) },
        text: VecDeque::new(),
        frames: VecDeque::new(),
    };
    let outcome = session.live();
    session.child.kill();
    session.over = true;
    post.close();
    session.drain();
    Ok(session.into_report(outcome))
}

/// Reads the kernel, and sees that it is one.
fn kernel(request: &Request) -> Result<Vec<u8>, Refusal> {
    let refuse = |why: String| Refusal::Kernel { path: request.kernel.clone(), why };
    let elf = fs::read(&request.kernel).map_err(|error| refuse(error.to_string()))?;
    let file = object::File::parse(&*elf).map_err(|_| refuse("not an ELF file".into()))?;
    if file.sections().any(|section| section.name().is_ok_and(|name| name.starts_with(".defmt"))) {
        Ok(elf)
    } else {
        Err(refuse("not a damselfly kernel: it has no format strings (section .defmt)".into()))
    }
}

struct Session<'s> {
    request: &'s Request,
    elf: &'s [u8],
    scale: f64,
    sink: &'s mut dyn Sink,
    post: &'s Post,
    ears: Ears,
    child: Child,
    signals: SignalWatch,
    start: Instant,
    last_sign: Instant,
    monitor: Option<Monitor>,
    /// Whether the guest was let go.
    running: bool,
    /// Whether QEMU has ended.
    over: bool,
    ended_streams: usize,
    reset: bool,
    powered_off: bool,
    panicked: Option<Instant>,
    /// Whether the message of a panic was heard to its end.
    panic_told: bool,
    deadlock: bool,
    garbage: u64,
    looks: watch::Looks,
    marks: follow::Marks,
    report: Report,
    text: VecDeque<String>,
    frames: VecDeque<Frame>,
}

impl Session<'_> {
    fn live(&mut self) -> Outcome {
        let mut ticked = Instant::now();
        loop {
            match self.ears.heard.recv_timeout(TICK) {
                Ok(heard) => self.take(heard),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            if let Some(signal) = self.signals.caught() {
                return Outcome::Interrupted { signal };
            }
            if self.reset {
                self.look_at_stacks();
                return Outcome::TripleFault;
            }
            if ticked.elapsed() < TICK {
                continue;
            }
            ticked = Instant::now();
            self.sink.event(Event::Tick);
            if let Some(status) = self.child.ended() {
                self.drain();
                return self.verdict(status);
            }
            if let Some(outcome) = self.out_of_time() {
                if self.panicked.is_none() {
                    self.look_at_stacks();
                }
                return outcome;
            }
            if self.all_asleep() {
                self.look_at_stacks();
                return Outcome::Deadlock;
            }
        }
    }

    fn take(&mut self, heard: Heard) {
        match heard {
            Heard::Frame(frame) => {
                self.sign();
                self.deadlock |=
                    frame.level == Some(Level::Error) && frame.message.contains("deadlock");
                self.sink.event(Event::Frame(&frame));
                keep(&mut self.frames, frame);
            }
            Heard::Text(line) => {
                self.sign();
                self.deadlock |= line.contains("deadlock");
                self.last_words(&line);
                self.sink.event(Event::Text(&line));
                keep(&mut self.text, line);
            }
            Heard::Complaint(line) => {
                if self.report.stderr.len() < KEPT {
                    self.report.stderr.push(line);
                }
            }
            // What is heard now only comes from letting go of our own ears.
            Heard::Monitor(_) | Heard::Undecodable(_) if self.over => {}
            Heard::Monitor(opened) => {
                if let Err(error) = opened.and_then(|monitor| self.let_go(monitor)) {
                    self.note(format!("QEMU's monitor: {error:#}"));
                }
            }
            Heard::Event(event) if self.mark(&event) => {}
            Heard::Event(event) => self.event(&event),
            Heard::Undecodable(why) => self.note(format!("frames cannot be decoded: {why}")),
            Heard::Garbage => self.garbage += 1,
            Heard::End => self.ended_streams += 1,
        }
    }

    /// Lets the stopped guest run.
    fn let_go(&mut self, mut monitor: Monitor) -> anyhow::Result<()> {
        kvm::pin(&mut monitor, self.request.mode)?;
        if self.request.gdb {
            let lines = command::debugger(&self.request.kernel);
            self.sink.event(Event::Debugger(&lines));
        } else {
            monitor.command("cont", json!({}))?;
        }
        self.running = true;
        self.monitor = Some(monitor);
        Ok(())
    }

    fn event(&mut self, event: &Value) {
        match (event["event"].as_str(), event["data"]["reason"].as_str()) {
            (Some("SHUTDOWN"), Some("guest-reset")) => self.reset = true,
            (Some("SHUTDOWN"), Some("guest-shutdown")) => {
                self.powered_off = true;
                if let Some(monitor) = &mut self.monitor {
                    monitor.quit();
                }
            }
            (Some("GUEST_PANICKED"), _) if self.panicked.is_none() => {
                self.panicked = Some(Instant::now());
                self.look_at_stacks();
                if let Some(monitor) = &mut self.monitor {
                    // A kernel that does not go on to its verdict is ended below.
                    let _ = monitor.command("cont", json!({}));
                }
            }
            _ => {}
        }
    }

    /// Keeps the message of a panic: from its first line to where the kernel goes on to its CPUs.
    fn last_words(&mut self, line: &str) {
        let (begins, ends) = (line.strip_prefix("panic: "), line.starts_with("cpu "));
        match (&mut self.report.panic, begins) {
            (None, Some(message)) => self.report.panic = Some(message.to_owned()),
            (Some(_), _) if ends => self.panic_told = true,
            (Some(message), _) if !self.panic_told => {
                message.push_str(", ");
                message.push_str(line.trim());
            }
            _ => {}
        }
    }

    fn sign(&mut self) {
        self.last_sign = Instant::now();
        self.report.first_sign.get_or_insert(self.start.elapsed());
    }

    fn note(&mut self, line: String) {
        self.sink.event(Event::Note(&line));
        self.report.notes.push(line);
    }

    fn look_at_stacks(&mut self) {
        let Some(monitor) = &mut self.monitor else {
            return self.note("no stacks: QEMU's monitor never answered".into());
        };
        match post_mortem::stacks(monitor, self.elf, self.post.folder()) {
            Ok(stacks) => self.report.stacks = stacks,
            Err(error) => self.note(format!("no stacks: {error:#}")),
        }
        let Some(monitor) = &mut self.monitor else { return };
        match logs::logs(monitor, self.elf, self.post.folder()) {
            Ok(logs) if logs.is_empty() => {}
            Ok(logs) => self.sink.event(Event::Logs(&logs)),
            Err(error) => self.note(format!("no timeline: {error:#}")),
        }
    }

    /// Takes in what is still on its way, once QEMU has ended.
    fn drain(&mut self) {
        let until = Instant::now() + Duration::from_secs(2);
        while self.ended_streams < STREAMS {
            let left = until.saturating_duration_since(Instant::now());
            match self.ears.heard.recv_timeout(left) {
                Ok(heard) => self.take(heard),
                Err(_) => return,
            }
        }
    }

    fn verdict(&self, status: ExitStatus) -> Outcome {
        let status = match (status.code(), status.signal()) {
            (Some(code), _) => code,
            (None, signal) => -signal.unwrap_or(0),
        };
        match status {
            code::SUCCESS => Outcome::Success,
            code::TEST_FAILED => Outcome::TestFailed,
            code::PANIC if self.deadlock => Outcome::Deadlock,
            code::PANIC => Outcome::Panic,
            code::REFUSED => Outcome::Refused,
            _ if self.request.mode == Mode::Kvm && status != 0 => Outcome::KvmBroken {
                why: match self.report.stderr.last() {
                    Some(line) => format!("QEMU ended with status {status}: {line}"),
                    None => format!("QEMU ended with status {status}"),
                },
            },
            0 if self.powered_off => Outcome::PoweredOff,
            // With -no-reboot a reset ends QEMU like this.
            0 => Outcome::TripleFault,
            _ if !self.running && self.report.first_sign.is_none() => {
                Outcome::NotStarted { status: Some(status).filter(|status| *status >= 0) }
            }
            _ => Outcome::Died { status },
        }
    }

    fn into_report(self, outcome: Outcome) -> Report {
        let mut report = self.report;
        if self.garbage > 0 {
            report.notes.push(format!("{} frames could not be decoded", self.garbage));
        }
        let stacks: Vec<CpuStack> = std::mem::take(&mut report.stacks);
        Report {
            outcome,
            wall: self.start.elapsed(),
            text: self.text.into(),
            frames: self.frames.into(),
            stacks,
            ..report
        }
    }
}

fn keep<T>(queue: &mut VecDeque<T>, item: T) {
    if queue.len() == KEPT {
        queue.pop_front();
    }
    queue.push_back(item);
}

mod follow;
mod watch;

#[cfg(test)]
mod tests;
