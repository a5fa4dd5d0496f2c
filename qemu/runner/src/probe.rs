//! What the QEMU at hand is and can do, asked of QEMU itself.
//!
//! One start with no machine, over the monitor: its version, and which CPU properties
//! emulation really gives, so that nothing depends on a table of versions. How long this
//! takes is also the measure of the host ([`crate::calibrate`]).

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{Refusal, child::Child};

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
    /// What it printed.
    pub stderr: Vec<String>,
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

/// Asks `qemu`.
pub fn ask(qemu: &Path) -> Result<Result<Probe, Unasked>, Refusal> {
    let start = Instant::now();
    let mut command = Command::new(qemu);
    command.args(ARGUMENTS).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Child::spawn(command, qemu)?;
    let (sender, answers) = mpsc::channel();
    if let Some(mut stdin) = child.inner().stdin.take() {
        // A QEMU that is already dead is found out below.
        let _ = stdin.write_all(QUESTIONS.as_bytes());
    }
    if let Some(stdout) = child.inner().stdout.take() {
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
    }
    let errors = child.inner().stderr.take().map(|mut stderr| {
        thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stderr.read_to_end(&mut text);
            String::from_utf8_lossy(&text).lines().map(str::to_owned).collect::<Vec<_>>()
        })
    });
    let mut version = None;
    let mut properties = None;
    while let Ok(line) = answers.recv_timeout(PATIENCE.saturating_sub(start.elapsed())) {
        let Ok(answer) = serde_json::from_str::<Value>(&line) else { continue };
        let numbers = &answer["QMP"]["version"]["qemu"];
        if let (Some(major), Some(minor), Some(micro)) =
            (numbers["major"].as_u64(), numbers["minor"].as_u64(), numbers["micro"].as_u64())
        {
            version = Some(format!("{major}.{minor}.{micro}"));
        }
        if let Some(found) = answer["return"]["model"]["props"].as_object() {
            properties = Some(found.clone());
        }
        if version.is_some() && properties.is_some() {
            break;
        }
    }
    let took = start.elapsed();
    let (Some(version), Some(properties)) = (version, properties) else {
        let status =
            child.wait_or_kill(Duration::from_millis(500)).and_then(|status| status.code());
        let stderr = errors.and_then(|thread| thread.join().ok()).unwrap_or_default();
        return Ok(Err(Unasked { status, stderr }));
    };
    child.wait_or_kill(Duration::from_secs(2));
    Ok(Ok(Probe {
        version,
        x2apic: properties.get("x2apic").and_then(Value::as_bool).unwrap_or(false),
        erms: properties.contains_key("erms"),
        fsrm: properties.contains_key("fsrm"),
        took,
    }))
}
