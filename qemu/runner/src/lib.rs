//! Boots the kernel under QEMU, listens, and says how it ended.
//!
//! [`run`] takes a [`Request`], tells a [`Sink`] what happens while it happens, and returns a
//! [`Report`]. Nothing is left behind: QEMU is a child that dies with us, its sockets live in
//! a private folder, so that any number of runs can go on side by side.
//!
//! What the kernel must do to be understood (all of it works, mute, without a runner):
//!
//! | kernel | runner |
//! |---|---|
//! | defmt frames to port 0xe9, timestamp `{=u16}:{=u64}` (CPU, TSC) | decodes them live |
//! | text to COM1 | keeps the last lines, shows them when something fails |
//! | 0x10 to 0x13 to port 0xf4 | status 33, 35, 37, 39: success, test failed, panic, cannot run here; nothing else is success |
//! | at a panic, once all CPUs stand: bit 0 to port 0x505 (pvpanic), then 0x12 to 0xf4 | the machine pauses at the first write; the stacks of all CPUs are read and unwound; it goes on to the second |
//! | bit 1 to port 0x505, then bit 0: a mark | the machine pauses; from the first of two marks to the second each instruction is written down ([`Event::Path`]) |
//! | a panic message that begins `deadlock` | ended as [`Outcome::Deadlock`] |
//! | `.eh_frame` or `.debug_frame` kept in the ELF | exact stacks; else guessed ones, marked `?` |

use std::path::PathBuf;

pub mod calibrate;
pub mod command;
pub mod explain;
pub mod frame;
pub mod machine;
pub mod outcome;
pub mod path;
pub mod probe;
pub mod registers;
pub mod request;
pub mod screen;
pub mod symbols;
pub mod terminal;

mod child;
mod kvm;
mod listen;
mod logs;
mod post_mortem;
mod qmp;
mod session;
mod unwind;

pub use frame::{Frame, Level, Location};
pub use logs::Log;
pub use machine::Machine;
pub use outcome::{CpuStack, Limit, Outcome, Report, StackFrame, Trust, code};
pub use path::Step;
pub use probe::Probe;
pub use request::{Apic, Frames, Limits, Mode, Request};
pub use session::run;

/// Hears of a run while it goes on.
pub trait Sink {
    /// Something happened.
    fn event(&mut self, event: Event<'_>);
}

impl<F: FnMut(Event<'_>)> Sink for F {
    fn event(&mut self, event: Event<'_>) {
        self(event)
    }
}

/// What happens in a run.
#[derive(Debug)]
pub enum Event<'a> {
    /// QEMU has said what it is; comes first, once.
    Probed(&'a Probe),
    /// QEMU is about to start with this command, quoted for a shell. Pasted there it boots the
    /// same machine, which then speaks text on the terminal: the runner's own sockets, and the
    /// word that asks for frames, are left out.
    Command(&'a str),
    /// A frame came in.
    Frame(&'a Frame),
    /// A line of text came from the serial port.
    Text(&'a str),
    /// The instructions between two marks of the kernel's, on all CPUs.
    Path(&'a [Step]),
    /// What probes had recorded on each CPU when the kernel ended early.
    Logs(&'a [Log]),
    /// The machine waits for a debugger; these lines start one.
    Debugger(&'a [String]),
    /// About ten times a second, for a moving line on a terminal.
    Tick,
    /// Something worth a line to the user, as why KVM is not used.
    Note(&'a str),
}

/// Why a run was not even tried. Nothing was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The request cannot be met: one clear line. Exit status 2.
    Usage(String),
    /// There is no QEMU at that place.
    NoQemu(PathBuf),
    /// The kernel cannot be read, or is not a kernel of ours. Exit status 2.
    Kernel {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// This host denies something that a run needs (a private folder, a socket, a process).
    Host(String),
}

impl Refusal {
    /// Returns the exit status that `./x` ends with.
    pub fn status(&self) -> i32 {
        match self {
            Refusal::Usage(_) | Refusal::Kernel { .. } => 2,
            Refusal::NoQemu(_) | Refusal::Host(_) => 3,
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Usage(why) | Refusal::Host(why) => f.write_str(why),
            Refusal::NoQemu(path) => {
                write!(f, "no QEMU: '{}' is not there. Next: ./x doctor", path.display())
            }
            Refusal::Kernel { path, why } => write!(f, "{}: {why}", path.display()),
        }
    }
}

impl std::error::Error for Refusal {}
