//! `./x boot`: the kernel in this terminal, as text, with nothing in between.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Result, anyhow};
use runner::command::{self, For};
use runner::probe;

use crate::cli::BootArgs;
use crate::{Status, guest};

/// What the kernel is told beside its machine.
fn words(args: &BootArgs) -> guest::Words {
    args.program.iter().map(|name| format!("program={name}")).collect()
}

/// Prints QEMU's command and becomes it.
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
    let failed = Command::new(&request.qemu).args(&words).exec();
    Err(anyhow::Error::from(failed).context(format!("{} does not start", request.qemu.display())))
}
