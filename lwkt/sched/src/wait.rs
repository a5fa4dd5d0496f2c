//! What a thread is doing, and what it waits for.

/// The state of a thread. Drawn in the documentation of [`Thread`](crate::Thread).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Not started, or reaped: its owner may prepare and start it.
    Unstarted,
    /// In its CPU's run queue.
    Ready,
    /// In its CPU's run queue, first of its priority, and on the CPU. Never stored: it follows from the scheduler.
    Running,
    /// As running, but its CPU is lent to an interrupt's thread. Never stored, as `Running`.
    Preempted,
    /// Waits until woken.
    Blocked,
    /// Waits until woken or until its deadline.
    Sleeping,
    /// Out of the run queue until it is scheduled, for no reason of its own.
    Descheduled,
    /// On its way to another CPU.
    Migrating,
    /// Has exited; its memory is in use until it is reaped and, if joinable, joined.
    Exited,
}

/// What sort of thing a thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// Nothing.
    Nothing,
    /// The reply to the message at this address.
    Message,
    /// Anything on the port at this address.
    Port,
    /// Anything on one of several ports, the first of them at this address.
    Ports,
    /// The end of the thread at this address.
    Join,
    /// Time to pass.
    Sleep,
    /// A completion for the CPU process at this address.
    Completion,
    /// A wake of the wait queue at this address.
    Queue,
    /// An answer about the callout at this address, or the end of its handler.
    Callout,
    /// Callouts of its CPU, which keeps them at this address, to be due.
    Callouts,
    /// Being continued: the process at this address is stopped.
    Stopped,
    /// An interrupt of the line at this address: an interrupt's thread, which may preempt.
    Interrupt,
    /// The CPUs that have found what is published at this address: that they are done with it.
    Readers,
    /// Something else at this address.
    Event,
}

impl Reason {
    /// All, each at its number.
    pub const ALL: [Self; 14] = [
        Self::Nothing,
        Self::Message,
        Self::Port,
        Self::Ports,
        Self::Join,
        Self::Sleep,
        Self::Completion,
        Self::Queue,
        Self::Callout,
        Self::Callouts,
        Self::Stopped,
        Self::Interrupt,
        Self::Readers,
        Self::Event,
    ];

    /// The words of the deadlock report.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Message => "the reply to message",
            Self::Port => "a message on port",
            Self::Ports => "a message on several ports, first",
            Self::Join => "the end of thread",
            Self::Sleep => "time",
            Self::Completion => "a completion of process",
            Self::Queue => "a wake of wait queue",
            Self::Callout => "callout",
            Self::Callouts => "callouts to be due",
            Self::Stopped => "being continued, process",
            Self::Interrupt => "an interrupt of line",
            Self::Readers => "the readers of what was published at",
            Self::Event => "event",
        }
    }
}

/// Why a thread waits: the sort of thing and its address, for the deadlock report. No pointer: never followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Why {
    /// The sort of thing.
    pub reason: Reason,
    /// Its address.
    pub address: usize,
}

impl Why {
    /// No reason.
    pub const NOTHING: Self = Self { reason: Reason::Nothing, address: 0 };
    /// Time alone.
    pub const SLEEP: Self = Self { reason: Reason::Sleep, address: 0 };

    /// Waiting for `thing`, which is of the sort `reason`.
    pub fn on<T: ?Sized>(reason: Reason, thing: &T) -> Self {
        Self { reason, address: core::ptr::from_ref(thing).cast::<()>().addr() }
    }
}
