//! A message: its body, its reply, and the marks of its way.

use core::fmt;
use core::ptr::NonNull;

use percpu::sync::{AtomicBool, AtomicUsize, Cell, UnsafeCell};

use lwkt_events::Grace;

use crate::mailbox::Mailbox;
use crate::plant;
use crate::raw::body_of;

/// What a kind of message carries. The receiver may change the body too: large answers travel in it.
pub trait Body: Send + 'static {
    /// The answer in brief.
    type Reply: Send + 'static;
    /// The kernel that these messages travel in.
    type Exec: Grace;
    /// The receipt: called whenever a message of this kind goes into the queue of a port, on a CPU where that was, before its
    /// receiver can see it. In a critical section, at a [`SpinPort`](crate::SpinPort) under its lock: it notes something, and neither
    /// sends nor waits. None is called by ports that do not queue, nor for one that is closed; if the last receiver leaves in
    /// the time of the receipt, the answer is `Closed` all the same.
    const RECEIPT: Option<fn(&Self)> = None;
}

/// Why there is no reply of the receiver's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Nobody receives at the port, or nobody does any more.
    Closed,
    /// The receiver gave the message up without a reply.
    Dropped,
    /// The sender asked for it, and nobody had received it, or its receiver was about to pass it on.
    Aborted,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "nobody receives at this port",
            Self::Dropped => "the receiver gave the message up without a reply",
            Self::Aborted => "the sender asked for it back, and nobody works on it",
        })
    }
}

impl core::error::Error for Error {}

/// A message.
///
/// ```text
///            (1) send                (3) receive              (4) reply                (5) mark or queue
///   Owned  ------------> in a port -------------> Received ------------> on its way ----------------> answered
///     ^ ^    (2) do          |                      |   ^                   ^                              |
///     | |  (borrowed)        | (7) close            +---+ (6) forward       |                              |
///     | |                    +--> reply `Closed` ---|-----------------------+                              |
///     | |                    | (10) abort           |                       |                              |
///     | |                    +--> reply `Aborted` --|-----------------------+                              |
///     | |                                           +--> dropped: reply `Dropped` (4)                      |
///     | +------- (8) the handler of a sync port is done: no queue, no mark touched                         |
///     +------------------------------------- (9) wait, get: `Replied`, then `Owned` <----------------------+
/// ```
///
/// Who may touch it: the holder of the handle before (1) and (2), the port's CPU until (3), the holder of `Received`
/// until (4), the sender's CPU until (9); in a spin port, who holds its lock. Every hand-over between CPUs is a
/// remote call or a lock, which orders the accesses. How a message comes to (10): [`Aborting`](crate::Aborting).
///
/// # Order
/// Messages of one CPU to one port of a thread are received in the order of their sends, priority messages before
/// others, as long as the receiver stays on its CPU. A move, of either side, lets the messages that were under way at that
/// moment come later than those sent after it; none is lost or doubled, and what was answered before is before all.
pub struct Message<B: Body> {
    pub(crate) next: Cell<Option<NonNull<Message<B>>>>,
    pub(crate) sender: Cell<usize>,
    pub(crate) reply_to: Cell<Option<&'static Mailbox<B>>>,
    /// Marks of the sender's side, of his home alone while the message is away: the reply is there;
    pub(crate) done: Cell<bool>,
    /// he sleeps until it is;
    pub(crate) waiting: Cell<bool>,
    /// a request for the message is under way, and until it is over nobody takes the message;
    pub(crate) asking: Cell<bool>,
    /// there was one since it was sent.
    pub(crate) asked: Cell<bool>,
    /// It goes before others that are not. Set by whoever puts it into a queue.
    pub(crate) urgent: Cell<bool>,
    /// Whether the sender wants it back: set by the sender's CPU, read by whoever has the message.
    pub(crate) wanted: AtomicBool,
    /// The queue that it was put into last (see `Place`): set by whoever puts it, read by the request for it.
    pub(crate) place: AtomicUsize,
    /// What its receiver wants called when the sender wants it back. Of the receiver's home, as the list that it is on.
    pub(crate) heed: Cell<Option<Heed>>,
    pub(crate) reply: Cell<Option<Result<B::Reply, Error>>>,
    pub(crate) body: UnsafeCell<B>,
}

/// What a receiver wants called, with a word of its own, when the sender wants a message back.
pub(crate) type Heed = (fn(&percpu::Crit, usize), usize);

impl<B: Body> Message<B> {
    percpu::maybe_const! {
        /// A message of this body.
        pub fn new(body: B) -> Self {
            Self {
                next: Cell::new(None),
                sender: Cell::new(0),
                reply_to: Cell::new(None),
                done: Cell::new(false),
                waiting: Cell::new(false),
                asking: Cell::new(false),
                asked: Cell::new(false),
                urgent: Cell::new(false),
                wanted: AtomicBool::new(false),
                place: AtomicUsize::new(0),
                heed: Cell::new(None),
                reply: Cell::new(None),
                body: UnsafeCell::new(body),
            }
        }
    }

    /// Its body.
    pub fn body(&mut self) -> &mut B {
        body_of(self)
    }

    /// Its body, by itself.
    pub fn into_body(self) -> B {
        self.body.into_inner()
    }

    /// Answered, and nothing that still speaks of it is under way.
    pub(crate) fn is_back(&self) -> bool {
        self.done.get() && (!self.asking.get() || plant::takes_early())
    }
}

impl<B: Body> fmt::Debug for Message<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("done", &self.done.get()).finish_non_exhaustive()
    }
}
