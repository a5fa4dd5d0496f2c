//! From the registers of an entry to a handler and back: what the kernel decides about a message before and after it
//! is handled. Hardware, user memory and subsystems are behind the trait [`Kernel`], resolved statically.
//!
//! [`send`] validates number, flags and length, decodes the request and calls the handler that the table names.
//! An inline message is answered by its handler's return. One that may block gets a [`Later`], the only way to a slot
//! in the [`Pending`] table of the CPU process; the completion comes once, into a slot that is already free for it.
//!
//! Context law: own CPU only. A [`Pending`] table belongs to the CPU of its CPU process; others send messages.
#![no_std]
#![forbid(unsafe_code)]

mod kernel;
mod pending;
mod send;

pub use kernel::Kernel;
pub use pending::{Departing, Done, Gone, MAX_PENDING_BYTES, Pending, PendingId, Slot};
pub use send::{receive, send, wait};

use abi::{AtExit, Failure, Number};
use static_assertions::assert_not_impl_any;

/// What goes back in the two answer registers; a second scalar goes by [`Kernel::second`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Reply {
    /// Status word: see [`abi::ANSWERED`], [`abi::ASYNCHRONOUS`], [`abi::IGNORED`]; negative for an error.
    pub status: i64,
    /// First scalar of the answer, or what the error names.
    pub value: u64,
}

impl From<Failure> for Reply {
    #[cold]
    fn from(failure: Failure) -> Self {
        Self { status: failure.status(), value: failure.detail }
    }
}

/// How a message that may block came out.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome<A> {
    /// Answered at once.
    Now(A),
    /// Its completion will follow.
    Later(Opened),
}

/// What a pending call is an instance of: a message, or the entry that receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A message.
    Message(Number),
    /// A receive on a port.
    Receive,
}

/// The right of one call to become asynchronous. Only handlers of messages that may block are given one.
#[derive(Debug)]
pub struct Later {
    cookie: u64,
    origin: Origin,
    at_exit: AtExit,
    may_wait: bool,
}

impl Later {
    /// The right of a call with this cookie; without it when the sender said not to wait.
    #[must_use]
    pub const fn new(origin: Origin, cookie: u64, at_exit: AtExit, flags: u16) -> Self {
        Self { cookie, origin, at_exit, may_wait: flags & abi::FLAG_NO_WAIT == 0 }
    }

    /// Whether the sender allows it to wait: when not, [`Pending::open`] refuses with `WouldBlock`.
    #[must_use]
    pub const fn may_wait(&self) -> bool {
        self.may_wait
    }

    /// The cookie of the call.
    #[must_use]
    pub const fn cookie(&self) -> u64 {
        self.cookie
    }
}

/// Proof that a call has its slot; goes back as [`Outcome::Later`], or to [`Pending::withdraw`].
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Opened(PendingId);

// A call becomes asynchronous once, and has one slot.
assert_not_impl_any!(Later: Clone);
assert_not_impl_any!(Opened: Clone);

impl Opened {
    /// The id that completes the call.
    #[must_use]
    pub const fn id(&self) -> PendingId {
        self.0
    }
}
