//! What the QEMU at hand is and can do, asked of QEMU itself.
//!
//! One start with no machine, over the monitor: its version, and which CPU properties
//! emulation really gives, so that nothing depends on a table of versions. How long this
//! takes is also the measure of the host ([`crate::calibrate`]).

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Command, ExitStatus, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Map, Value};

use crate::{
    Refusal,
    child::{Child, SignalWatch},
    screen::duration,
};

/// What a QEMU is and can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Its version, as `10.0.2`.
    pub version: String,
    /// Whether emulation has x2APIC.
    pub x2apic: bool,
    /// Whether its CPU model knows the property `erms`.
    pub erms: bool,
    /// Whether its CPU model knows the property `fsrm`.
    pub fsrm: bool,
    /// How long it took to ask.
    pub took: Duration,
}

/// Why a QEMU could not be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unasked {
    /// Its exit status; `None` when it was killed by us or by a signal.
    pub status: Option<i32>,
    /// The last that it complained of, and in brackets why it was given up.
    pub stderr: Vec<String>,
    /// The signal that ended the question, which says nothing of QEMU.
    pub interrupted: Option<i32>,
}

pub(crate) const ARGUMENTS: &[&str] = &[
    "-machine",
    "none",
    "-accel",
    "tcg",
    "-nodefaults",
    "-display",
    "none",
    "-S",
    "-qmp",
    "stdio",
];

const QUESTIONS: &str = concat!(
    r#"{"execute":"qmp_capabilities"}"#,
    "\n",
    r#"{"execute":"query-cpu-model-expansion","arguments":{"type":"full","model":{"name":"max"}}}"#,
    "\n",
    r#"{"execute":"quit"}"#,
    "\n",
);

/// A QEMU that has not answered by then never will.
const PATIENCE: Duration = Duration::from_secs(20);
/// What has said this much, on either stream, is no QEMU: that says some 20 KiB.
const MUCH: usize = 1 << 20;
/// How often signals are looked for.
const TICK: Duration = Duration::from_millis(50);
/// How long QEMU may take to end when it has nothing more to say.
const FAREWELL: Duration = Duration::from_secs(2);
/// How many complaints are kept, and how much of each.
const KEPT: usize = 20;
const WIDEST: usize = 400;

/// Whether `qemu` can be started at all: it is, and ended at once.
///
/// # Errors
/// There is none at that place, or nothing that starts.
pub fn is_there(qemu: &Path) -> Result<(), Refusal> {
    let mut command = Command::new(qemu);
    command.arg("-version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Child::spawn(command, qemu).map(drop)
}

/// Asks `qemu`. Who watches for no signal is ended by one, and QEMU with it.
pub fn ask(qemu: &Path) -> Result<Result<Probe, Unasked>, Refusal> {
    ask_within(PATIENCE, qemu, &|| None)
}

/// Asks `qemu` until a signal is caught.
pub(crate) fn ask_watched(
    qemu: &Path,
    signals: &SignalWatch,
) -> Result<Result<Probe, Unasked>, Refusal> {
    ask_within(PATIENCE, qemu, &|| signals.caught())
}

fn ask_within(
    patience: Duration,
    qemu: &Path,
    caught: &dyn Fn() -> Option<i32>,
) -> Result<Result<Probe, Unasked>, Refusal> {
    let start = Instant::now();
    let mut command = Command::new(qemu);
    command.args(ARGUMENTS).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Child::spawn(command, qemu)?;
    let (sender, answers) = mpsc::channel();
    let (complainer, complaints) = mpsc::channel();
    if let Some(mut stdin) = child.inner().stdin.take() {
        // A QEMU that is already dead is found out below.
        let _ = stdin.write_all(QUESTIONS.as_bytes());
    }
    if let Some(stdout) = child.inner().stdout.take() {
        thread::spawn(move || {
            let lines = BufReader::new(stdout.take(MUCH as u64)).split(b'\n');
            for line in lines.map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
    }
    if let Some(stderr) = child.inner().stderr.take() {
        thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stderr.take(MUCH as u64).read_to_end(&mut text);
            let _ = complainer.send(text);
        });
    }
    let mut answer = Answer::default();
    let mut heard = 0;
    let mut given_up = None;
    while !answer.is_whole() && caught().is_none() {
        let left = patience.saturating_sub(start.elapsed());
        if left.is_zero() {
            given_up = Some(format!("[no answer within {}]", duration(patience)));
            break;
        }
        match answers.recv_timeout(left.min(TICK)) {
            Ok(line) => {
                heard += line.len() + 1;
                answer.take(&line);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                given_up = (heard >= MUCH).then(|| TOO_MUCH.to_owned());
                break;
            }
        }
    }
    let took = start.elapsed();
    let patience = if given_up.is_some() { Duration::ZERO } else { FAREWELL };
    let status = farewell(&mut child, patience, caught).and_then(|status| status.code());
    if let Some(signal) = caught() {
        return Ok(Err(Unasked { status, stderr: Vec::new(), interrupted: Some(signal) }));
    }
    let Answer { version: Some(version), properties: Some(properties) } = answer else {
        // One of its children may live on and hold the stream.
        let text = complaints.recv_timeout(FAREWELL).unwrap_or_default();
        let given_up = given_up.or_else(|| (text.len() >= MUCH).then(|| TOO_MUCH.to_owned()));
        let stderr = last_lines(&text).into_iter().chain(given_up).collect();
        return Ok(Err(Unasked { status, stderr, interrupted: None }));
    };
    Ok(Ok(Probe {
        version,
        x2apic: properties.get("x2apic").and_then(Value::as_bool).unwrap_or(false),
        erms: properties.contains_key("erms"),
        fsrm: properties.contains_key("fsrm"),
        took,
    }))
}

const TOO_MUCH: &str = "[1 MiB of output and no answer in it: this is not QEMU]";

/// What the question is about.
#[derive(Default)]
struct Answer {
    version: Option<String>,
    properties: Option<Map<String, Value>>,
}

impl Answer {
    fn take(&mut self, line: &[u8]) {
        let Ok(answer) = serde_json::from_slice::<Value>(line) else { return };
        let numbers = &answer["QMP"]["version"]["qemu"];
        if let (Some(major), Some(minor), Some(micro)) =
            (numbers["major"].as_u64(), numbers["minor"].as_u64(), numbers["micro"].as_u64())
        {
            self.version = Some(format!("{major}.{minor}.{micro}"));
        }
        if let Some(found) = answer["return"]["model"]["props"].as_object() {
            self.properties = Some(found.clone());
        }
    }

    fn is_whole(&self) -> bool {
        self.version.is_some() && self.properties.is_some()
    }
}

/// Waits for the end, at most this long and while no signal is caught, and then brings it about.
fn farewell(
    child: &mut Child,
    patience: Duration,
    caught: &dyn Fn() -> Option<i32>,
) -> Option<ExitStatus> {
    let start = Instant::now();
    while child.ended().is_none() && start.elapsed() < patience && caught().is_none() {
        thread::sleep(Duration::from_millis(5));
    }
    child.wait_or_kill(Duration::ZERO)
}

fn last_lines(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(KEPT)..];
    last.iter().map(|line| line.chars().take(WIDEST).collect()).collect()
}

#[cfg(test)]
mod tests;
