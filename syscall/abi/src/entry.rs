//! The three real entries: send, receive, wait; the words that travel in registers.
//!
//! ```text
//! rax = entry     send: rdi = head, rsi = cookie, rdx = address of the list, or rdx r10 r8 r9 = the scalars
//!                 receive: rdi = port, rsi = cookie, rdx = buffer, r10 = length
//!                 wait: rdi = completions seen, rsi = deadline
//! returns         rax = status, rdx = first value, r10 = second value; keeps only rsp, rbp, rbx
//! ```

use crate::{Answer, Completion, Failure, Handle, Output};

/// What `rax` selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum EntryNumber {
    /// Sends a message to the kernel.
    Send = 0,
    /// Takes the next request of a port.
    Receive = 1,
    /// Sleeps until a completion, a wake token, or the deadline.
    Wait = 2,
}

/// Flag of a send: the scalars are in registers, there is no list.
pub const FLAG_REGISTERS: u16 = 1;
/// Flag of a send: answer at once or fail with `WouldBlock`.
pub const FLAG_NO_WAIT: u16 = 2;
/// All flags that exist.
pub const FLAGS: u16 = FLAG_REGISTERS | FLAG_NO_WAIT;

/// Status: answered at once.
pub const ANSWERED: i64 = 0;
/// Status bit: asynchronous, a completion will bring the answer.
pub const ASYNCHRONOUS: i64 = 1;
/// Status bit: elements without the must-understand bit were not known and passed over.
pub const IGNORED: i64 = 2;

/// Deadline of a wait that has none.
pub const NO_DEADLINE: u64 = 0;
/// Deadline of a wait that only looks.
pub const POLL: u64 = u64::MAX;

/// The first word of a send: number, flags, length of the list in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Head(pub u64);

impl Head {
    /// Head of a message with a list of `length` bytes (0 in the register form).
    #[must_use]
    pub const fn new(number: u16, flags: u16, length: u32) -> Self {
        Self(number as u64 | (flags as u64) << 16 | (length as u64) << 32)
    }

    /// Message number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0 as u16
    }

    /// Flags.
    #[must_use]
    pub const fn flags(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// Length of the list in bytes.
    #[must_use]
    pub const fn length(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Everything but the number, for one comparison on the fast path.
    #[must_use]
    pub const fn form(self) -> u64 {
        self.0 >> 16
    }
}

/// What an entry returns, in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Raw {
    /// [`ANSWERED`], [`ASYNCHRONOUS`], both perhaps with [`IGNORED`], or minus an error code.
    pub status: i64,
    /// First scalar of the answer; for an error the element it names.
    pub value: u64,
    /// Second scalar of the answer.
    pub value2: u64,
}

/// A send that was not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent<A> {
    /// Answered at once.
    Now(A),
    /// The answer will be a completion with the cookie of the send.
    Later,
}

impl<A: Answer> Sent<A> {
    /// Reads what an entry returned.
    #[inline]
    pub fn from_raw(raw: Raw) -> Result<Self, Failure> {
        if raw.status < 0 {
            Err(Failure::from_status(raw.status, raw.value))
        } else if raw.status & ASYNCHRONOUS != 0 {
            Ok(Sent::Later)
        } else {
            Ok(Sent::Now(A::from_values([raw.value, raw.value2])))
        }
    }
}

impl Completion {
    /// The typed answer that this completion brings.
    pub fn answer<A: Answer>(&self) -> Result<A, Failure> {
        if self.status < 0 {
            Err(Failure::from_status(self.status, self.value))
        } else {
            Ok(A::from_values([self.value, self.value2]))
        }
    }
}

/// Takes the next request of a port: completes with a handle to reply to, and the request's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receive {
    /// The port.
    pub port: Handle,
    /// Where the request's bytes go.
    pub into: Output,
}

/// Who can perform the three entries: the layer with `syscall`, a test with a model.
pub trait Entry {
    /// Sends: `registers` are the scalars, or first the address of the list.
    fn send(&self, head: Head, cookie: u64, registers: [u64; 4]) -> Raw;
    /// Takes the next request of a port; `value` is a handle to reply to, `value2` the request's length.
    fn receive(&self, cookie: u64, request: Receive) -> Raw;
    /// Sleeps unless the count of completions differs from `seen` or a wake token is set; `value` is the count.
    fn wait(&self, seen: u64, deadline: u64) -> Raw;
}

/// A message as a thread keeps it, prebuilt, for synchronous requests in the way of the seed document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct SysMsg {
    /// Number, flags, list length.
    pub head: Head,
    /// The sender's choice; comes back with a completion.
    pub cookie: u64,
    /// Address of the list, or the scalars.
    pub words: [u64; 4],
    /// The outcome, once there is one.
    pub result: Raw,
}

impl SysMsg {
    /// A message without elements.
    pub const EMPTY: SysMsg = SysMsg {
        head: Head(0),
        cookie: 0,
        words: [0; 4],
        result: Raw { status: 0, value: 0, value2: 0 },
    };

    /// Sends it through `entry` and keeps what came back.
    #[inline]
    pub fn send<E: Entry>(&mut self, entry: &E) -> i64 {
        self.result = entry.send(self.head, self.cookie, self.words);
        self.result.status
    }

    /// Stores the completion of this message.
    #[inline]
    pub fn complete(&mut self, completion: &Completion) {
        self.result =
            Raw { status: completion.status, value: completion.value, value2: completion.value2 };
    }
}
