//! Ports: where a message is sent, and whose time its handling takes.

use core::fmt;
use core::marker::PhantomData;

use lwkt_sched::MayBlock;

use crate::handles::{Owned, Received, Sent, reply_of, wait_for};
use crate::mailbox::Mailbox;
use crate::raw::{Raw, lend};
use crate::{Body, Error, Exec, Message, Replies};

/// Where messages are sent. A port decides in [`put`](Port::put), in the sender's time, whether it answers at once.
pub trait Port<B: Body>: Sync + Sized + 'static {
    /// Takes a message in: answers it at once, or keeps it. Not to be called: `do_` and `send` do.
    fn put<'m>(&'static self, message: Offered<'m, B>) -> Outcome<'m, B>;

    /// Sends `message` and waits for the reply (edges 2, 8). The message is lent until then, so it may be on the stack.
    ///
    /// # Errors
    /// There is no reply of the receiver's.
    #[inline]
    fn do_(&'static self, cx: &mut MayBlock, message: &mut Message<B>) -> Result<B::Reply, Error> {
        lend(message, |message| {
            let watch = message.watch();
            match self.put(Offered::fresh(message, None)).into_done() {
                Some(reply) => reply,
                None => {
                    wait_for(&watch, cx);
                    reply_of(&watch)
                }
            }
        })
    }

    /// Sends `message`; its reply is waited for by the handle that comes back (edge 1).
    fn send(&'static self, message: Owned<B>) -> Sent<B> {
        let message = message.into_raw();
        let sent = Sent::of(message.watch());
        if let Some(reply) = self.put(Offered::fresh(message, None)).into_done() {
            sent.raw().message().reply.set(Some(reply));
            sent.raw().message().done.set(true);
        }
        sent
    }

    /// Sends `message`; its reply is queued with the others of `replies` (edge 1).
    fn send_to(&'static self, message: Owned<B>, replies: &mut Replies<B>) {
        let message = message.into_raw();
        let watch = message.watch();
        replies.outstanding += 1;
        if let Some(reply) = self.put(Offered::fresh(message, Some(replies.mailbox()))).into_done()
        {
            watch.message().reply.set(Some(reply));
            B::Exec::crit(|crit| replies.mailbox().queue(crit, watch));
        }
    }
}

/// Where the reply of a message goes.
enum Way<B: Body> {
    /// Just sent: to the mark of the message, or to this mailbox of the sender's.
    Fresh(Option<&'static Mailbox<B>>),
    /// Sent before, and passed on: as the sender has said.
    Forwarded,
}

/// A message in the hands of a port, in the time of its sender: to be answered at once or kept. One of the two must
/// be done, once: only that makes the [`Outcome`] of this message, which [`Handler::handle`](crate::Handler::handle) returns.
///
/// ```compile_fail
/// # use lwkt_port::*;
/// fn outcome_of_another<'a, 'b, B: Body<Reply = u64>>(one: Offered<'a, B>, other: Offered<'b, B>) -> Outcome<'a, B> {
///     other.done(1)
/// }
/// ```
#[must_use = "answer it with `done`, or `keep` it"]
pub struct Offered<'m, B: Body> {
    message: Raw<B>,
    way: Way<B>,
    brand: PhantomData<fn(&'m ()) -> &'m ()>,
}

impl<'m, B: Body> Offered<'m, B> {
    #[inline]
    fn fresh(message: Raw<B>, replies: Option<&'static Mailbox<B>>) -> Self {
        Self { message, way: Way::Fresh(replies), brand: PhantomData }
    }

    pub(crate) fn forwarded(message: Raw<B>) -> Self {
        Self { message, way: Way::Forwarded, brand: PhantomData }
    }

    /// Its body.
    #[inline]
    pub fn body(&self) -> &B {
        self.message.body()
    }

    /// Its body, to be changed.
    #[inline]
    pub fn body_mut(&mut self) -> &mut B {
        self.message.body_mut()
    }

    /// Answers at once (edge 8): no queue, no mark, no switch.
    #[inline]
    pub fn done(self, reply: B::Reply) -> Outcome<'m, B> {
        Outcome { done: Some(Ok(reply)), brand: PhantomData }
    }

    /// Keeps the message, to be replied to later, by anybody (edges 1, 2 and 3 in one).
    pub fn keep(self) -> Taken<'m, B> {
        let message = B::Exec::crit(|crit| self.depart(crit));
        Taken { message: Received::of(message), outcome: Outcome::asynchronous() }
    }

    /// The message leaves its sender: what its reply needs is written down.
    #[inline]
    pub(crate) fn depart(self, crit: &percpu::Crit) -> Raw<B> {
        if let Way::Fresh(replies) = self.way {
            let marks = self.message.message();
            marks.sender.set(Some(B::Exec::current(crit)));
            marks.reply_to.set(replies);
            marks.done.set(false);
            marks.waiting.set(false);
        }
        self.message
    }
}

/// A kept message, and the outcome that says so.
#[must_use = "return the outcome"]
#[derive(Debug)]
pub struct Taken<'m, B: Body> {
    /// The message, now the handler's.
    pub message: Received<B>,
    /// To be returned.
    pub outcome: Outcome<'m, B>,
}

/// What a port did with a message: answered it, or kept it ("asynchronous").
#[must_use = "return it"]
pub struct Outcome<'m, B: Body> {
    done: Option<Result<B::Reply, Error>>,
    brand: PhantomData<fn(&'m ()) -> &'m ()>,
}

impl<B: Body> Outcome<'_, B> {
    pub(crate) fn asynchronous() -> Self {
        Self { done: None, brand: PhantomData }
    }

    #[inline]
    pub(crate) fn into_done(self) -> Option<Result<B::Reply, Error>> {
        self.done
    }
}

impl<B: Body> fmt::Debug for Offered<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offered").finish_non_exhaustive()
    }
}

impl<B: Body> fmt::Debug for Outcome<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.done.is_some() { "Done" } else { "Async" })
    }
}
