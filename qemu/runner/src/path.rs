//! Which instructions a machine executed, on which CPU, in which order: read from QEMU's execution log.
//!
//! QEMU logs each translated block that it enters. With one instruction to a block that is each instruction; all CPUs of
//! mode `insns` take turns in one thread, so the log has one order, and as many lines as the clock has ticks.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::qmp::Monitor;

/// One executed instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The CPU.
    pub cpu: u32,
    /// Where the instruction lies.
    pub address: u64,
}

/// Has QEMU log each instruction into `log`, which is not there yet. The machine must stand still.
pub(crate) fn begin(monitor: &mut Monitor, log: &Path) -> Result<()> {
    one_instruction_blocks(monitor, "on")?;
    expect_silence(monitor, &format!("logfile {}", log.display()))?;
    expect_silence(monitor, "log exec,nochain")
}

/// Ends the log and reads it. The machine must stand still.
pub(crate) fn end(monitor: &mut Monitor, log: &Path) -> Result<Vec<Step>> {
    expect_silence(monitor, "log none")?;
    one_instruction_blocks(monitor, "off")?;
    let bytes = std::fs::read(log).context("QEMU's execution log")?;
    let _ = std::fs::remove_file(log);
    Ok(parse(&String::from_utf8_lossy(&bytes)))
}

/// The command has two names: QEMU 8.1 renamed it, and later versions have only the new one.
fn one_instruction_blocks(monitor: &mut Monitor, word: &str) -> Result<()> {
    if monitor.human(&format!("one-insn-per-tb {word}"))?.trim().is_empty() {
        return Ok(());
    }
    expect_silence(monitor, &format!("singlestep {word}"))
}

/// Gives a command that answers only when it fails.
fn expect_silence(monitor: &mut Monitor, line: &str) -> Result<()> {
    match monitor.human(line)?.trim() {
        "" => Ok(()),
        complaint => bail!("{line}: {complaint}"),
    }
}

/// The executed instructions of a log.
///
/// ```text
/// Trace 0: 0x7f.. [0000000000000000/ffffffff80101234/00a0c0b0/ff000201] symbol      CPU 0 enters a block
/// Stopped execution of TB chain before 0x7f.. [ffffffff80101234] symbol             but executes nothing of it
/// cpu_io_recompile: rewound execution of TB to ffffffff80101234                     or will execute it again
/// ```
pub fn parse(log: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for line in log.lines() {
        if let Some(step) = line.strip_prefix("Trace ").and_then(entered) {
            steps.push(step);
        } else if line.starts_with("Stopped execution of TB chain before")
            || line.starts_with("cpu_io_recompile: rewound")
        {
            steps.pop();
        }
    }
    steps
}

fn entered(line: &str) -> Option<Step> {
    let (cpu, rest) = line.split_once(':')?;
    let mut fields = rest.split_once('[')?.1.split('/');
    let address = fields.nth(1)?;
    Some(Step { cpu: cpu.parse().ok()?, address: u64::from_str_radix(address, 16).ok()? })
}

#[cfg(test)]
mod tests;
