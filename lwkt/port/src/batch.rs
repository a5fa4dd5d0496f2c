//! Batches: messages that are collected, and then sent with one doorbell for each CPU.

use core::fmt;

use percpu::{CpuId, Crit};

use crate::handles::Owned;
use crate::mailbox::{Mailbox, ORDINARY, Side, put_there};
use crate::offered::Offered;
use crate::queue::Queue;
use crate::raw::{Place, Raw, arguments};
use crate::{Body, Exec, Replies, ThreadPort};

/// Messages for thread ports, of one CPU or several, to be sent all at once; linked through themselves.
///
/// Messages for one port are received in the order in which they were added.
#[must_use = "the memory of messages that are dropped is never used again"]
pub struct Batch<B: Body> {
    messages: Queue<B>,
    count: usize,
}

impl<B: Body> Batch<B> {
    /// No messages.
    pub const fn new() -> Self {
        Self { messages: Queue::new(), count: 0 }
    }

    /// How many messages there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Adds a message for `port`.
    pub fn add(&mut self, port: &'static ThreadPort<B>, message: Owned<B>) {
        let message = message.into_raw();
        message.set_place(Some(port.mailbox()));
        self.messages.push(message);
        self.count += 1;
    }

    /// Sends all (edge 1); their replies are queued with the others of `replies`. A CPU is interrupted once at most for up to a
    /// ring's depth of them.
    pub fn send(self, replies: &mut Replies<B>) {
        let Self { mut messages, count } = self;
        replies.outstanding += count;
        let way = replies.mailbox();
        B::Exec::crit(|crit| {
            while let Some((mailbox, message)) = next(&mut messages) {
                let message = Offered::fresh(message, Some(way)).depart(crit);
                match mailbox.side(crit) {
                    Side::There(home) => {
                        let mut rest = Queue::new();
                        let first = arguments(message, Some(mailbox));
                        let others = core::iter::from_fn(|| {
                            next_for(crit, home, &mut messages, &mut rest).map(
                                |(mailbox, message)| {
                                    let message = Offered::fresh(message, Some(way)).depart(crit);
                                    arguments(message, Some(mailbox))
                                },
                            )
                        });
                        let all = core::iter::once(first).chain(others);
                        B::Exec::call_burst(crit, home, put_there::<B, ORDINARY, false>, all);
                        messages = rest;
                    }
                    Side::Here(_) | Side::Closed => {
                        mailbox.deliver::<ORDINARY, false>(crit, message)
                    }
                }
            }
        });
    }
}

/// The next message, and where it goes.
fn next<B: Body>(messages: &mut Queue<B>) -> Option<(&'static Mailbox<B>, Raw<B>)> {
    let message = messages.pop()?;
    match message.place() {
        Place::Mailbox(mailbox) => Some((mailbox, message)),
        Place::Nowhere | Place::Spin(_) | Place::Published(_) => {
            unreachable!("`add` puts in no others")
        }
    }
}

/// The next message for `home`; those before it go to `rest`.
fn next_for<B: Body>(
    crit: &Crit,
    home: CpuId,
    messages: &mut Queue<B>,
    rest: &mut Queue<B>,
) -> Option<(&'static Mailbox<B>, Raw<B>)> {
    loop {
        let (mailbox, message) = next(messages)?;
        match mailbox.side(crit) {
            Side::There(other) if other == home => return Some((mailbox, message)),
            _ => rest.push(message),
        }
    }
}

impl<B: Body> Default for Batch<B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<B: Body> fmt::Debug for Batch<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("count", &self.count).finish_non_exhaustive()
    }
}
