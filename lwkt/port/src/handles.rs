//! The handles: which side a message is on, as a type.

use core::fmt;
use core::marker::PhantomData;

use lwkt_sched::{MayBlock, Reason, ThreadRef, Why};
use percpu::sync::Ordering;

use crate::abort::ask;
use crate::offered::Offered;
use crate::plant;
use crate::raw::{NotSend, Raw};
use crate::reply::answer;
use crate::{Aborting, Body, Error, Exec, Message, Port, Replies};

/// A message that is the holder's: to prepare, to send, or to take apart.
///
/// Sent is sent:
///
/// ```compile_fail,E0382
/// # use lwkt_port::*;
/// fn twice<B: Body>(port: &'static ThreadPort<B>, message: Owned<B>) {
///     let one = port.send(message);
///     let two = port.send(message);
/// }
/// ```
///
/// and cannot be looked at either:
///
/// ```compile_fail,E0382
/// # use lwkt_port::*;
/// fn peek<B: Body>(port: &'static ThreadPort<B>, mut message: Owned<B>) {
///     let sent = port.send(message);
///     message.body();
/// }
/// ```
///
/// A borrowed message cannot be sent: its owner could return before the reply, also with a handle that it forgets
/// instead of waiting.
///
/// ```compile_fail
/// # use lwkt_port::*;
/// fn borrow<B: Body>(port: &'static ThreadPort<B>, body: B) {
///     let mut message = Message::new(body);
///     let sent = port.send(Owned::new(&mut message));
///     core::mem::forget(sent);
/// }
/// ```
#[must_use = "the memory of a message that is dropped is never used again"]
pub struct Owned<B: Body>(Raw<B>);

impl<B: Body> Owned<B> {
    /// A message in memory that is given up for it: a leaked box, a slot of a static.
    pub fn new(memory: &'static mut Message<B>) -> Self {
        Self(Raw::of_static(memory))
    }

    pub(crate) fn into_raw(self) -> Raw<B> {
        self.0
    }

    /// Its body.
    pub fn body(&mut self) -> &mut B {
        self.0.body_mut()
    }

    /// Its memory, to be used for something else.
    pub fn into_inner(self) -> &'static mut Message<B> {
        self.0.into_static()
    }
}

/// A message that was received: to be read, changed, and replied to.
///
/// One that is dropped is answered with [`Error::Dropped`], so no sender waits for ever. A reply is the end of it:
///
/// ```compile_fail,E0382
/// # use lwkt_port::*;
/// fn twice<B: Body<Reply = u64>>(message: Received<B>) {
///     message.reply(1);
///     message.reply(2);
/// }
/// ```
///
/// ```compile_fail,E0382
/// # use lwkt_port::*;
/// fn late<B: Body<Reply = u64>>(mut message: Received<B>) {
///     message.reply(1);
///     message.body_mut();
/// }
/// ```
#[must_use = "a message that is dropped is answered with an error"]
pub struct Received<B: Body>(Option<Raw<B>>);

impl<B: Body> Received<B> {
    pub(crate) fn of(message: Raw<B>) -> Self {
        Self(Some(message))
    }

    fn raw(&self) -> &Raw<B> {
        self.0.as_ref().expect("only `reply`, `forward` and `drop` take it, and they end this")
    }

    /// Its body.
    pub fn body(&self) -> &B {
        self.raw().body()
    }

    /// Its body, to be changed: the sender sees it with the reply.
    pub fn body_mut(&mut self) -> &mut B {
        self.0.as_mut().expect("as in `raw`").body_mut()
    }

    /// The thread that sent it.
    pub fn sender(&self) -> ThreadRef {
        self.raw().sender()
    }

    /// Whether the sender has asked for it (edge A5): nobody needs the work any more. To be answered all the same.
    pub fn abort_requested(&self) -> bool {
        // Relaxed: a mark that says nothing of other memory.
        self.raw().message().wanted.load(Ordering::Relaxed)
    }

    pub(crate) fn watch(&self) -> Raw<B> {
        self.raw().watch()
    }

    /// Replies (edge 4).
    #[inline]
    pub fn reply(mut self, reply: B::Reply) {
        if let Some(message) = self.0.take() {
            B::Exec::crit(|crit| answer(crit, message, Ok(reply)));
        }
    }

    /// Passes the message on (edge 6): the reply from there goes to the sender. One that the sender has asked for is
    /// answered `Aborted` instead (edge A8).
    #[track_caller]
    pub fn forward<P: Port<B>>(mut self, to: &'static P) {
        let asked = self.abort_requested();
        if let Some(message) = self.0.take() {
            if asked {
                return B::Exec::crit(|crit| answer(crit, message, Err(Error::Aborted)));
            }
            probe::forwarded(message.name());
            message.message().urgent.set(false);
            let watch = message.watch();
            if let Some(reply) = to.put(Offered::forwarded(message)).into_done() {
                B::Exec::crit(|crit| answer(crit, watch, reply));
            }
        }
    }
}

impl<B: Body> Drop for Received<B> {
    fn drop(&mut self) {
        if let Some(message) = self.0.take() {
            B::Exec::crit(|crit| answer(crit, message, Err(Error::Dropped)));
        }
    }
}

/// A message that was sent and will be waited for by itself. It stays with its thread.
#[must_use = "a message that nobody waits for is lost to its owner"]
pub struct Sent<B: Body> {
    message: Raw<B>,
    thread: NotSend,
}

impl<B: Body> Sent<B> {
    pub(crate) fn of(message: Raw<B>) -> Self {
        Self { message, thread: PhantomData }
    }

    pub(crate) fn raw(&self) -> &Raw<B> {
        &self.message
    }

    /// Waits for the reply (edge 9).
    pub fn wait(self, cx: &mut MayBlock) -> Replied<B> {
        wait_for(&self.message, cx);
        Replied::of(self.message)
    }

    /// Waits for the reply (edge 9) until `deadline`, in nanoseconds as [`Exec::now`] counts.
    ///
    /// # Errors
    /// It has not come: the handle comes back.
    pub fn wait_until(self, cx: &mut MayBlock, deadline: u64) -> Result<Replied<B>, Self> {
        if wait_until(&self.message, cx, deadline) {
            Ok(Replied::of(self.message))
        } else {
            Err(self)
        }
    }

    /// The reply, if it is there (edge 9).
    ///
    /// # Errors
    /// It is not: the handle comes back.
    pub fn poll(self) -> Result<Replied<B>, Self> {
        if B::Exec::crit(|_| self.is_done()) { Ok(Replied::of(self.message)) } else { Err(self) }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.message.message().done.get()
    }

    /// Asks for the message (edge A1). The one reply is waited for as before.
    pub fn abort(self) -> Aborting<B> {
        Aborting::of(self.message)
    }

    /// Gives the message up: nobody waits for it by itself. One that nobody has received is taken out of its port
    /// (edge A3); either way it comes back with the others of `replies`.
    ///
    /// What was given up cannot be waited for:
    ///
    /// ```compile_fail,E0382
    /// # use lwkt_port::*;
    /// fn lost<B: Body>(cx: &mut lwkt_sched::MayBlock, sent: Sent<B>, replies: &mut Replies<B>) {
    ///     sent.give_up(replies);
    ///     let _ = sent.wait(cx);
    /// }
    /// ```
    pub fn give_up(self, replies: &mut Replies<B>) {
        replies.outstanding += 1;
        B::Exec::crit(|crit| {
            if self.is_done() {
                return replies.mailbox().queue(crit, self.message);
            }
            self.message.message().reply_to.set(Some(replies.mailbox()));
            ask(crit, &self.message);
        });
    }
}

/// Waits until `message` is marked as answered.
pub(crate) fn wait_for<B: Body>(message: &Raw<B>, cx: &mut MayBlock) {
    B::Exec::crit(|crit| {
        let it = message.message();
        while !it.done.get() {
            it.waiting.set(true);
            B::Exec::block(crit, cx, Why::on(Reason::Message, it));
        }
    });
}

/// Waits until `message` is marked as answered, or until `deadline`; whether it is.
pub(crate) fn wait_until<B: Body>(message: &Raw<B>, cx: &mut MayBlock, deadline: u64) -> bool {
    B::Exec::crit(|crit| {
        let it = message.message();
        loop {
            let done = it.done.get();
            if done || B::Exec::now() >= deadline {
                it.waiting.set(false);
                return done;
            }
            it.waiting.set(true);
            B::Exec::block_until(crit, cx, Why::on(Reason::Message, it), deadline);
        }
    })
}

/// A message that has come back with its reply.
#[must_use = "the memory of a message that is dropped is never used again"]
pub struct Replied<B: Body>(Raw<B>);

impl<B: Body> Replied<B> {
    pub(crate) fn of(message: Raw<B>) -> Self {
        Self(message)
    }

    /// The reply, and the message for the next time.
    pub fn take(self) -> (Result<B::Reply, Error>, Owned<B>) {
        (reply_of(&self.0), Owned(self.0))
    }
}

/// Takes the reply out of an answered message.
pub(crate) fn reply_of<B: Body>(message: &Raw<B>) -> Result<B::Reply, Error> {
    message.message().reply.take().unwrap_or_else(plant::no_reply)
}

macro_rules! debug {
    ($($handle:ident)*) => {$(
        impl<B: Body> fmt::Debug for $handle<B> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($handle)).finish_non_exhaustive()
            }
        }
    )*};
}
debug!(Owned Received Sent Replied);
