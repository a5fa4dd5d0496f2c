//! A message in the hands of a port, in the time of its sender, and what became of it.

use core::fmt;
use core::marker::PhantomData;

use crate::handles::Received;
use crate::mailbox::Mailbox;
use crate::raw::Raw;
use crate::{Body, Error, Exec};

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
    pub(crate) fn fresh(message: Raw<B>, replies: Option<&'static Mailbox<B>>) -> Self {
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

    /// Answers at once that there is nobody to answer.
    pub(crate) fn refuse(self, error: Error) -> Outcome<'m, B> {
        Outcome { done: Some(Err(error)), brand: PhantomData }
    }

    /// Keeps the message, to be replied to later, by anybody (edges 1, 2 and 3 in one).
    pub fn keep(self) -> Taken<'m, B> {
        let message = B::Exec::crit(|crit| self.depart(crit));
        message.set_place(None);
        Taken { message: Received::of(message), outcome: Outcome::asynchronous() }
    }

    /// The message leaves its sender: what its reply needs is written down.
    #[inline]
    pub(crate) fn depart(self, crit: &percpu::Crit) -> Raw<B> {
        if let Way::Fresh(replies) = self.way {
            let it = self.message.message();
            it.sender.set(B::Exec::current(crit).into_word());
            it.reply_to.set(replies);
            // Side by side, so that the compiler makes one store of them.
            it.done.set(false);
            it.waiting.set(false);
            it.asking.set(false);
            it.asked.set(false);
            it.urgent.set(false);
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
