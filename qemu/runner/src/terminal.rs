//! QEMU in the user's terminal, with nothing in between.
//!
//! Law: however it ends, or we do, QEMU is gone afterwards and the terminal is as it was.

use std::{
    io::{self, IsTerminal},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, ExitStatus},
    thread,
    time::Duration,
};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::{
    Refusal,
    child::{Child, SignalWatch},
};

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this status.
    Code(i32),
    /// A signal killed it, and it was not ours.
    Killed(i32),
    /// We were told to end, and ended it.
    Interrupted,
}

/// QEMU puts the terminal back when it is asked to end; this long it is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Runs a command in this terminal until it ends or we are told to.
pub fn run(command: Command, program: &Path) -> Result<Ended, Refusal> {
    let signals = SignalWatch::start()?;
    let _kept = Kept::of_stdin();
    let mut child = Child::spawn_in_terminal(command, program)?;
    loop {
        if let Some(status) = child.ended() {
            // Ctrl-C reaches both of us.
            return Ok(if signals.caught().is_some() { Ended::Interrupted } else { ended(status) });
        }
        if signals.caught().is_some() {
            child.ask_to_end();
            child.wait_or_kill(PATIENCE);
            return Ok(Ended::Interrupted);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn ended(status: ExitStatus) -> Ended {
    match status.code() {
        Some(code) => Ended::Code(code),
        None => Ended::Killed(status.signal().unwrap_or(0)),
    }
}

/// What the terminal was set to.
struct Kept(Option<Termios>);

impl Kept {
    fn of_stdin() -> Self {
        let stdin = io::stdin();
        Self(stdin.is_terminal().then(|| tcgetattr(&stdin).ok()).flatten())
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(settings) = &self.0 {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, settings);
        }
    }
}
