//! Ports: where a message is sent, and whose time its handling takes.

use core::fmt;
use core::marker::PhantomData;

use lwkt_sched::{MayBlock, Reason, ThreadRef, Why};

use crate::handles::{Owned, Received, Replied, Sent, reply_of, wait_for};
use crate::mailbox::Mailbox;
use crate::raw::{NotSend, Raw, lend};
use crate::{Body, Error, Exec, Message};

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
/// be done, once: only that makes the [`Outcome`] of this message, which [`Handler::handle`] returns.
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
    fn depart(self, crit: &percpu::Crit) -> Raw<B> {
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
    fn asynchronous() -> Self {
        Self { done: None, brand: PhantomData }
    }

    #[inline]
    pub(crate) fn into_done(self) -> Option<Result<B::Reply, Error>> {
        self.done
    }
}

/// A port whose messages wait for one thread, which receives them one at a time.
pub struct ThreadPort<B: Body> {
    mailbox: Mailbox<B>,
}

impl<B: Body> ThreadPort<B> {
    /// A port that nobody receives at yet.
    pub const fn new() -> Self {
        Self { mailbox: Mailbox::new() }
    }

    /// Names the thread that will receive: from now on messages wait for it. False if there is one.
    pub fn assign(&'static self, thread: ThreadRef) -> bool {
        self.mailbox.assign(thread)
    }

    /// The running thread receives from now on. `None` if a thread does so already, or another is to.
    pub fn claim(&'static self, _: &mut MayBlock) -> Option<Server<B>> {
        B::Exec::crit(|crit| self.mailbox.claim(crit))
            .then_some(Server { port: self, thread: PhantomData })
    }
}

impl<B: Body> Default for ThreadPort<B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<B: Body> Port<B> for ThreadPort<B> {
    #[inline]
    fn put<'m>(&'static self, message: Offered<'m, B>) -> Outcome<'m, B> {
        B::Exec::crit(|crit| self.mailbox.put(crit, message.depart(crit)));
        Outcome::asynchronous()
    }
}

/// The receiving side of a [`ThreadPort`]. It stays with its thread; dropped, the port is closed.
pub struct Server<B: Body> {
    port: &'static ThreadPort<B>,
    thread: NotSend,
}

impl<B: Body> Server<B> {
    pub(crate) fn mailbox(&self) -> &'static Mailbox<B> {
        &self.port.mailbox
    }

    /// The next message, if there is one (edge 3).
    pub fn get(&mut self) -> Option<Received<B>> {
        B::Exec::crit(|crit| self.mailbox().pop(crit)).map(Received::of)
    }

    /// The next message; waits for it (edge 3).
    pub fn receive(&mut self, cx: &mut MayBlock) -> Received<B> {
        Received::of(self.mailbox().next(cx))
    }
}

impl<B: Body> Drop for Server<B> {
    fn drop(&mut self) {
        B::Exec::crit(|crit| self.mailbox().close(crit));
    }
}

/// A port for replies only: nothing can be sent to it, and its messages are the owner's.
///
/// ```compile_fail
/// # use lwkt_port::*;
/// fn request<B: Body>(port: &'static ReplyPort<B>, message: Owned<B>) {
///     let sent = port.send(message);
/// }
/// ```
pub struct ReplyPort<B: Body> {
    mailbox: Mailbox<B>,
}

impl<B: Body> ReplyPort<B> {
    /// A port that belongs to nobody yet.
    pub const fn new() -> Self {
        Self { mailbox: Mailbox::new() }
    }

    /// The running thread has its replies here from now on. `None` if a thread does so already.
    pub fn claim(&'static self, _: &mut MayBlock) -> Option<Replies<B>> {
        let claimed = B::Exec::crit(|crit| self.mailbox.claim(crit));
        claimed.then_some(Replies { port: self, outstanding: 0, thread: PhantomData })
    }
}

impl<B: Body> Default for ReplyPort<B> {
    fn default() -> Self {
        Self::new()
    }
}

/// The replies to what a thread has sent with [`Port::send_to`]. It stays with its thread.
///
/// # Panics
/// When it is dropped while replies are outstanding: they would be lost.
pub struct Replies<B: Body> {
    port: &'static ReplyPort<B>,
    outstanding: usize,
    thread: NotSend,
}

impl<B: Body> Replies<B> {
    pub(crate) fn mailbox(&self) -> &'static Mailbox<B> {
        &self.port.mailbox
    }

    /// How many messages are on their way.
    pub fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// The next message that came back, if one did (edge 9).
    pub fn get(&mut self) -> Option<Replied<B>> {
        let message = B::Exec::crit(|crit| self.mailbox().pop(crit))?;
        self.outstanding -= 1;
        Some(Replied::of(message))
    }

    /// The next message that comes back; waits for it (edge 9). `None`: none is on its way.
    pub fn wait_any(&mut self, cx: &mut MayBlock) -> Option<Replied<B>> {
        self.outstanding = self.outstanding.checked_sub(1)?;
        Some(Replied::of(self.mailbox().next(cx)))
    }
}

impl<B: Body> Drop for Replies<B> {
    fn drop(&mut self) {
        assert!(
            self.outstanding == 0,
            "{} replies outstanding at a reply port that is dropped",
            self.outstanding
        );
        B::Exec::crit(|crit| self.mailbox().close(crit));
    }
}

impl<B: Body> Mailbox<B> {
    /// The next message; waits for it. By the owner.
    fn next(&'static self, cx: &mut MayBlock) -> Raw<B> {
        B::Exec::crit(|crit| {
            loop {
                if let Some(message) = self.pop(crit) {
                    return message;
                }
                self.watch(crit, true);
                B::Exec::block(crit, cx, Why::on(Reason::Port, self));
            }
        })
    }
}

/// What runs in the caller of a [`SyncPort`], on any CPU.
///
/// It has no `MayBlock` and cannot get one, so it cannot wait:
///
/// ```compile_fail,E0425
/// # use lwkt_port::*;
/// struct Waits<B: Body> { other: &'static ThreadPort<B> }
/// impl<B: Body<Reply = u64>> Handler<B> for Waits<B> {
///     fn handle<'m>(&self, mut message: Offered<'m, B>) -> Outcome<'m, B> {
///         let reply = self.other.do_(cx, &mut Message::new(todo!()));
///         message.done(1)
///     }
/// }
/// ```
///
/// nor keep one from elsewhere:
///
/// ```compile_fail
/// # use lwkt_port::*;
/// struct Keeps { cx: lwkt_sched::MayBlock }
/// impl<B: Body<Reply = u64>> Handler<B> for Keeps {
///     fn handle<'m>(&self, message: Offered<'m, B>) -> Outcome<'m, B> { message.done(1) }
/// }
/// ```
///
/// What would have to wait is kept, and replied to later:
///
/// ```
/// # use lwkt_port::*;
/// struct Defers<B: Body> { worker: &'static ThreadPort<B> }
/// impl<B: Body<Reply = u64>> Handler<B> for Defers<B> {
///     fn handle<'m>(&self, message: Offered<'m, B>) -> Outcome<'m, B> {
///         let Taken { message, outcome } = message.keep();
///         message.forward(self.worker);
///         outcome
///     }
/// }
/// ```
pub trait Handler<B: Body>: Sync + 'static {
    /// Handles a message: answers it with [`Offered::done`], or keeps it with [`Offered::keep`].
    fn handle<'m>(&self, message: Offered<'m, B>) -> Outcome<'m, B>;
}

/// A port whose handler runs in the caller and usually answers at once: the fast path.
#[derive(Debug)]
pub struct SyncPort<H> {
    handler: H,
}

impl<H> SyncPort<H> {
    /// A port with this handler.
    pub const fn new(handler: H) -> Self {
        Self { handler }
    }

    /// The handler.
    pub fn handler(&self) -> &H {
        &self.handler
    }
}

impl<B: Body, H: Handler<B>> Port<B> for SyncPort<H> {
    #[inline]
    fn put<'m>(&'static self, message: Offered<'m, B>) -> Outcome<'m, B> {
        self.handler.handle(message)
    }
}

macro_rules! debug {
    ($($name:ident)*) => {$(
        impl<B: Body> fmt::Debug for $name<B> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}
debug!(ThreadPort Server ReplyPort Replies);

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
