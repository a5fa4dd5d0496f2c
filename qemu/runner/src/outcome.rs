//! How a run ended, and what was seen on the way.

use std::time::Duration;

use crate::{frame::Frame, registers::Registers, symbols::Place};

/// The exit status that QEMU's debug-exit device makes of the kernel's verdict.
pub mod code {
    /// The kernel wrote 0x10: everything asked for was done.
    pub const SUCCESS: i32 = 33;
    /// The kernel wrote 0x11: a test failed.
    pub const TEST_FAILED: i32 = 35;
    /// The kernel wrote 0x12: it panicked.
    pub const PANIC: i32 = 37;
    /// The kernel wrote 0x13: it cannot run here, and has said why.
    pub const REFUSED: i32 = 39;
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The kernel said success.
    Success,
    /// The kernel said that a test failed.
    TestFailed,
    /// The kernel panicked.
    Panic,
    /// The kernel found that all its threads wait for each other, or every CPU halted with
    /// nothing that could wake one.
    Deadlock,
    /// The kernel cannot run on this machine, or with this command line.
    Refused,
    /// A CPU faulted while it handled a double fault, and the machine reset.
    TripleFault,
    /// The kernel said something, but nothing more for this long (or the whole took longer
    /// than it may).
    Hang {
        /// How long nothing was heard, or how long the whole run took.
        after: Duration,
        /// Which of the two limits it was.
        limit: Limit,
    },
    /// The kernel never said anything.
    Silent {
        /// How long we waited.
        after: Duration,
    },
    /// The machine was switched off without a verdict.
    PoweredOff,
    /// QEMU refused to start, or ended before the guest ran.
    NotStarted {
        /// Its exit status, `None` when it could not be executed at all or was killed by a signal.
        status: Option<i32>,
    },
    /// KVM is there, but does not run this kernel.
    KvmBroken {
        /// What the probe boot did.
        why: String,
    },
    /// QEMU ended with a status that the kernel cannot have asked for.
    Died {
        /// The status, or the signal as a negative number.
        status: i32,
    },
    /// Somebody pressed Ctrl-C or sent a signal.
    Interrupted {
        /// The signal.
        signal: i32,
    },
}

/// Which limit a hang ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// No sign of life.
    Quiet,
    /// Signs of life, but no end.
    Total,
}

impl Outcome {
    /// Returns the exit status that `./x` ends with.
    pub fn status(&self) -> i32 {
        match self {
            Outcome::Success => 0,
            Outcome::TestFailed | Outcome::Panic | Outcome::Deadlock => 1,
            Outcome::Interrupted { signal } => 128 + signal,
            _ => 3,
        }
    }

    /// Returns the outcome in one word, for records.
    pub fn name(&self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::TestFailed => "test-failed",
            Outcome::Panic => "panic",
            Outcome::Deadlock => "deadlock",
            Outcome::Refused => "refused",
            Outcome::TripleFault => "triple-fault",
            Outcome::Hang { .. } => "hang",
            Outcome::Silent { .. } => "silent",
            Outcome::PoweredOff => "powered-off",
            Outcome::NotStarted { .. } => "not-started",
            Outcome::KvmBroken { .. } => "kvm-broken",
            Outcome::Died { .. } => "died",
            Outcome::Interrupted { .. } => "interrupted",
        }
    }
}

/// What one CPU was doing when the machine was stopped.
#[derive(Clone, Debug)]
pub struct CpuStack {
    /// The CPU's number in QEMU.
    pub cpu: u32,
    /// Its registers.
    pub registers: Registers,
    /// The frames, innermost first.
    pub frames: Vec<StackFrame>,
}

/// One return address (or, innermost, the program counter).
#[derive(Clone, Debug)]
pub struct StackFrame {
    /// The address.
    pub address: u64,
    /// How it was found.
    pub trust: Trust,
    /// Whether it is a program's, not the kernel's.
    pub ring3: bool,
    /// The functions at this address, innermost inlined one first; empty when unknown.
    pub places: Vec<Place>,
}

/// How a stack frame was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// By the unwind tables, or the program counter itself.
    Certain,
    /// By looking for return addresses on the stack.
    Guessed,
}

/// Everything that is known about a finished run.
#[derive(Clone, Debug)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// From the start of QEMU to its end.
    pub wall: Duration,
    /// From the start of QEMU to the first sign of life.
    pub first_sign: Option<Duration>,
    /// The factor applied to the limits.
    pub scale: f64,
    /// The last lines of text from the serial port.
    pub text: Vec<String>,
    /// What the kernel panicked with: which CPU, and the message.
    pub panic: Option<String>,
    /// The last frames.
    pub frames: Vec<Frame>,
    /// What QEMU itself complained about.
    pub stderr: Vec<String>,
    /// The stacks of all CPUs, when the machine could be stopped in time.
    pub stacks: Vec<CpuStack>,
    /// What kept the runner from showing more, one line each.
    pub notes: Vec<String>,
    /// The command, quoted for a shell.
    pub command: String,
}

impl Report {
    /// A report of a run of which nothing else is known.
    pub(crate) fn empty(outcome: Outcome) -> Self {
        Report {
            outcome,
            wall: Duration::ZERO,
            first_sign: None,
            scale: 1.0,
            text: Vec::new(),
            panic: None,
            frames: Vec::new(),
            stderr: Vec::new(),
            stacks: Vec::new(),
            notes: Vec::new(),
            command: String::new(),
        }
    }
}
