//! `./x boot`: the kernel in this terminal, as text, with nothing in between.

use std::process::Command;

use anyhow::{Context, Result, anyhow};
use runner::command::{self, For};
use runner::probe;

use crate::cli::BootArgs;
use crate::{Status, guest};

/// What the kernel is told beside its machine.
fn words(args: &BootArgs) -> guest::Words {
    args.program.iter().map(|name| format!("program={name}")).collect()
}

/// Prints QEMU's command and runs it in this terminal.
pub fn boot(args: &BootArgs) -> Result<Status> {
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
            eprintln!("x: {refusal}");
            return Ok(Status::from_code(refusal.status()));
        }
    };
    let words = command::arguments(&request, &probe, For::Person);
    eprintln!("+ {}", command::line(&request.qemu, &words));
    if args.gdb {
        eprintln!("QEMU waits for a debugger. In another terminal:");
        for line in command::debugger(&request.kernel) {
            eprintln!("  {line}");
        }
    }
    let ended = Command::new(&request.qemu).args(&words).status();
    let ended = ended.with_context(|| format!("{} does not start", request.qemu.display()))?;
    Ok(match ended.code() {
        Some(SUCCESS) => Status::Passed,
        Some(FAILED) => Status::Failed,
        None => Status::Interrupted,
        // The kernel's own power switch, where nobody asked for a debug exit.
        Some(0) if words.iter().all(|word| !word.to_string_lossy().contains("isa-debug-exit")) => {
            Status::Passed
        }
        Some(_) => Status::Boot,
    })
}

/// What QEMU's debug exit makes of the kernel's two ordinary ends.
const SUCCESS: i32 = 33;
const FAILED: i32 = 35;
