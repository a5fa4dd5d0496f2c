//! Messages that their receiver works on for long: he is told when the sender wants one back.

use core::fmt;
use core::marker::PhantomData;

use percpu::Crit;

use crate::handles::Received;
use crate::mailbox::Mailbox;
use crate::raw::{NotSend, Place};
use crate::{Body, Exec, Port, Server};

impl<B: Body> Server<B> {
    /// Has `call` executed with `word` when the sender asks for this message, which was received here: once at most, in a
    /// critical section of the server's CPU (edge A4); at once, if he has asked already.
    ///
    /// # Panics
    /// If it was received elsewhere; and when the server is dropped before what it holds.
    pub fn hold(&self, message: Received<B>, call: fn(&Crit, usize), word: usize) -> Held<B> {
        let here = Place::Mailbox(self.mailbox());
        assert!(message.watch().place().is(&here), "a message is held where it was received");
        B::Exec::crit(|crit| {
            if message.abort_requested() {
                call(crit, word);
            } else {
                self.mailbox().hold(crit, &message.watch(), (call, word));
            }
        });
        Held { message: Some(message), mailbox: self.mailbox(), thread: PhantomData }
    }
}

/// A message that was received, and whose abort is told of. It stays with its thread.
///
/// ```compile_fail,E0382
/// # use lwkt_port::*;
/// fn twice<B: Body<Reply = u64>>(message: Held<B>) {
///     message.reply(1);
///     message.reply(2);
/// }
/// ```
#[must_use = "a message that is dropped is answered with an error"]
pub struct Held<B: Body> {
    message: Option<Received<B>>,
    mailbox: &'static Mailbox<B>,
    thread: NotSend,
}

impl<B: Body> Held<B> {
    fn message(&self) -> &Received<B> {
        self.message.as_ref().expect("only `release` takes it, which ends this")
    }

    /// Its body.
    pub fn body(&self) -> &B {
        self.message().body()
    }

    /// Its body, to be changed: the sender sees it with the reply.
    pub fn body_mut(&mut self) -> &mut B {
        self.message.as_mut().expect("as in `message`").body_mut()
    }

    /// Whether the sender has asked for it (edge A5).
    pub fn abort_requested(&self) -> bool {
        self.message().abort_requested()
    }

    /// Replies (edge 4).
    pub fn reply(mut self, reply: B::Reply) {
        if let Some(message) = self.release() {
            message.reply(reply);
        }
    }

    /// Passes the message on (edges 6 and A8).
    #[track_caller]
    pub fn forward<P: Port<B>>(mut self, to: &'static P) {
        if let Some(message) = self.release() {
            message.forward(to);
        }
    }

    /// The message, whose abort is told of no more.
    fn release(&mut self) -> Option<Received<B>> {
        let message = self.message.take()?;
        B::Exec::crit(|crit| self.mailbox.release(crit, &message.watch()));
        Some(message)
    }
}

impl<B: Body> Drop for Held<B> {
    fn drop(&mut self) {
        self.release();
    }
}

impl<B: Body> fmt::Debug for Held<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}
