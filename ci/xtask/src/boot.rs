//! `./x boot`: the kernel in this terminal, as text, with nothing in between.

use std::process::Command;

use anyhow::{Result, anyhow};
use runner::command::{self, For};
use runner::probe;
use runner::terminal::{self, Ended};

use crate::cli::BootArgs;
use crate::{Status, guest, settings};

/// What the kernel is told beside its machine.
fn words(args: &BootArgs) -> guest::Words {
    args.program.iter().map(|name| format!("program={name}")).collect()
}

/// Prints QEMU's command and runs it in this terminal.
pub fn boot(args: &BootArgs) -> Result<Status> {
    if let Some(status) = guest::refused(&args.machine, settings::Most::One, None) {
        return Ok(status);
    }
    let mut request = guest::request(&args.machine, args.seed.seed, words(args))?;
    request.gdb = args.gdb;
    let probe = match probe::ask(&request.qemu) {
        Ok(Ok(probe)) => probe,
        Ok(Err(unasked)) => {
            return Err(anyhow!(
                "{} does not start: {}",
                request.qemu.display(),
                unasked.stderr.join("; ")
            ));
        }
        Err(refusal) => {
            crate::complain!("x: {refusal}");
            return Ok(Status::from_code(refusal.status()));
        }
    };
    if let Err(refusal) = request.check().and_then(|()| request.check_with(&probe)) {
        crate::complain!("x: {refusal}");
        return Ok(Status::from_code(refusal.status()));
    }
    let words = command::arguments(&request, &probe, For::Person);
    crate::complain!("+ {}", command::line(&request.qemu, &words));
    if args.gdb {
        crate::complain!("QEMU waits for a debugger. In another terminal:");
        for line in command::debugger(&request.kernel) {
            crate::complain!("  {line}");
        }
    }
    let mut qemu = Command::new(&request.qemu);
    qemu.args(&words);
    let ended = match terminal::run(qemu, &request.qemu) {
        Ok(ended) => ended,
        Err(refusal) => {
            crate::complain!("x: {refusal}");
            return Ok(Status::from_code(refusal.status()));
        }
    };
    let debug_exit = words.iter().any(|word| word.to_string_lossy().contains("isa-debug-exit"));
    Ok(match ended {
        Ended::Code(SUCCESS) => Status::Passed,
        Ended::Code(FAILED) => Status::Failed,
        // The kernel's own power switch, where nobody asked for a debug exit.
        Ended::Code(0) if !debug_exit => Status::Passed,
        Ended::Code(_) => Status::Boot,
        Ended::Killed(signal) => {
            crate::complain!("x: signal {signal} killed QEMU");
            Status::Boot
        }
        Ended::Interrupted => Status::Interrupted,
    })
}

/// What QEMU's debug exit makes of the kernel's two ordinary ends.
const SUCCESS: i32 = 33;
const FAILED: i32 = 35;
