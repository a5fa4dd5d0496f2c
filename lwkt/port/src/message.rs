//! A message: its body, its reply, and the marks of its way.

use core::cell::{Cell, UnsafeCell};
use core::fmt;
use core::ptr::NonNull;

use lwkt_sched::ThreadRef;

use crate::Exec;
use crate::mailbox::Mailbox;

/// What a kind of message carries. The receiver may change the body too: large answers travel in it.
pub trait Body: Send + 'static {
    /// The answer in brief.
    type Reply: Send + 'static;
    /// The kernel that these messages travel in.
    type Exec: Exec;
}

/// Why there is no reply of the receiver's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Nobody receives at the port, or nobody does any more.
    Closed,
    /// The receiver gave the message up without a reply.
    Dropped,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "nobody receives at this port",
            Self::Dropped => "the receiver gave the message up without a reply",
        })
    }
}

impl core::error::Error for Error {}

/// A message.
///
/// ```text
///            (1) send                (3) receive              (4) reply                (5) mark or queue
///   Owned  ------------> in a port -------------> Received ------------> on its way ----------------> answered
///     ^ ^    (2) do          |                      |   ^                                                  |
///     | |  (borrowed)        | (7) close            +---+ (6) forward                                      |
///     | |                    +--> reply `Closed`    |                                                      |
///     | |                                           +--> dropped: reply `Dropped` (4)                      |
///     | +------- (8) the handler of a sync port is done: no queue, no mark touched                         |
///     +------------------------------------- (9) wait, get: `Replied`, then `Owned` <----------------------+
/// ```
///
/// Who may touch it: the holder of the handle before (1) and (2), the port's CPU until (3), the holder of `Received`
/// until (4), the sender's CPU until (9). Every hand-over between CPUs is a remote call, which orders the accesses.
pub struct Message<B: Body> {
    pub(crate) next: Cell<Option<NonNull<Message<B>>>>,
    pub(crate) sender: Cell<Option<ThreadRef>>,
    pub(crate) reply_to: Cell<Option<&'static Mailbox<B>>>,
    pub(crate) done: Cell<bool>,
    pub(crate) waiting: Cell<bool>,
    pub(crate) reply: Cell<Option<Result<B::Reply, Error>>>,
    pub(crate) body: UnsafeCell<B>,
}

impl<B: Body> Message<B> {
    /// A message of this body.
    pub const fn new(body: B) -> Self {
        Self {
            next: Cell::new(None),
            sender: Cell::new(None),
            reply_to: Cell::new(None),
            done: Cell::new(false),
            waiting: Cell::new(false),
            reply: Cell::new(None),
            body: UnsafeCell::new(body),
        }
    }

    /// Its body.
    pub fn body(&mut self) -> &mut B {
        self.body.get_mut()
    }

    /// Its body, by itself.
    pub fn into_body(self) -> B {
        self.body.into_inner()
    }
}

impl<B: Body> fmt::Debug for Message<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("sender", &self.sender.get()).finish_non_exhaustive()
    }
}
