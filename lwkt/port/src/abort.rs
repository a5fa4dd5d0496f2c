//! Abort: a sender asks for a message that is away. The request looks for it where it is; the reply stays the only one.
//!
//! Context law: the request is a call that touches a queue at its home (a spin port's under its lock, anywhere) and the sender's marks at
//! the sender's, as all calls do. Until it is over (`asking`) nobody takes the message, so it never speaks of one that is gone.

use core::fmt;
use core::marker::PhantomData;

use lwkt_sched::{MayBlock, Reason, ThreadRef, Why};
use percpu::sync::{AtomicUsize, Ordering};
use percpu::{CpuId, Crit};

use crate::handles::Replied;
use crate::mailbox::{Mailbox, Side};
use crate::raw::{self, Home, NotSend, Place, Raw, arguments, parameters, static_of, word_of};
use crate::reply::{give_back, over, settle};
use crate::{Body, Exec};

/// A message that was sent and then asked for. It stays with its thread; the reply is waited for as before.
///
/// ```text
///   sent --(A1) the mark `wanted`; a request goes to the queue it was put into last--> ASKING --+
///    | (A0) answered already: too late                          ^                               |
///    v             (A2) the queue has moved, or the message was |                               |
///  answered             forwarded meanwhile: on, after it  -----+-------------------------------+
///                                                                                               |
///     (A3) still queued: taken out, answered `Aborted` <----------------------------------------+
///     (A4) received, and `hold`-ed: what the receiver gave is called <--------------------------+
///     (A5) received, not held: the mark is all it gets <----------------------------------------+
///     (A6) answered, or nobody receives there any more: no effect <-----------------------------+
///
///   after each of A3 to A6: (A7) the request is over; the one reply comes back as for `sent`
/// ```
///
/// - The answer is the right to the message: (A3) has it because the queue had it, and takes it from there; in all other
///   cases somebody else has it and answers, with a reply of his own or not.
/// - A receiver may ignore the request, see it ([`Received::abort_requested`](crate::Received::abort_requested)), or be
///   told ([`Server::hold`](crate::Server::hold)). One that would forward the message answers it `Aborted` instead (A8).
/// - Of a message that is between two queues of different homes the request may find no trace: then its next receiver
///   sees the mark (A5).
///
/// Once is enough, and a message that is back cannot be asked for:
///
/// ```compile_fail,E0599
/// # use lwkt_port::*;
/// fn twice<B: Body>(sent: Sent<B>) {
///     sent.abort().abort();
/// }
/// ```
///
/// ```compile_fail,E0382
/// # use lwkt_port::*;
/// fn late<B: Body>(cx: &mut lwkt_sched::MayBlock, sent: Sent<B>) {
///     let replied = sent.wait(cx);
///     sent.abort();
/// }
/// ```
#[must_use = "a message that nobody waits for is lost to its owner"]
pub struct Aborting<B: Body> {
    message: Raw<B>,
    thread: NotSend,
}

impl<B: Body> Aborting<B> {
    pub(crate) fn of(message: Raw<B>) -> Self {
        B::Exec::crit(|crit| ask(crit, &message));
        Self { message, thread: PhantomData }
    }

    pub(crate) fn raw(&self) -> &Raw<B> {
        &self.message
    }

    /// Waits for the reply and the end of the request (edge 9).
    pub fn wait(self, cx: &mut MayBlock) -> Replied<B> {
        wait_back(&self.message, cx);
        Replied::of(self.message)
    }

    /// The reply, if it is there (edge 9).
    ///
    /// # Errors
    /// It is not: the handle comes back.
    pub fn poll(self) -> Result<Replied<B>, Self> {
        if B::Exec::crit(|_| self.message.message().is_back()) {
            settle(&self.message);
            Ok(Replied::of(self.message))
        } else {
            Err(self)
        }
    }
}

/// Edges A0 and A1: asks for a message that the running thread has sent.
pub(crate) fn ask<B: Body>(crit: &Crit, message: &Raw<B>) {
    let it = message.message();
    if it.done.get() || it.asked.get() {
        return;
    }
    probe::asked(message.name());
    it.asking.set(true);
    it.asked.set(true);
    // Relaxed: a mark that says nothing of other memory. The request that follows orders it.
    it.wanted.store(true, Ordering::Relaxed);
    seek(crit, message.watch());
}

/// Edges A2 to A6: looks for the message in the queue that it was put into last.
fn seek<B: Body>(crit: &Crit, message: Raw<B>) {
    loop {
        let place = message.place();
        let sought = match &place {
            Place::Nowhere => Sought::Nowhere,
            Place::Spin(port) => port.unlink(crit, &message).map_or(Sought::Nowhere, Sought::Found),
            Place::Mailbox(mailbox) => look(crit, mailbox, &message),
            Place::Published(place) => raw::look(crit, place, |port| {
                port.map_or(Sought::Nowhere, |port| look(crit, port.mailbox(), &message))
            }),
        };
        match sought {
            Sought::Found(found) => return give_back(crit, found),
            Sought::There(home) => {
                return B::Exec::call(crit, home, seek_there::<B>, arguments(message, None));
            }
            Sought::Nowhere => {}
        }
        if message.place().is(&place) {
            return over(crit, message);
        }
    }
}

/// What came of a look for a message.
enum Sought<B: Body> {
    /// It was queued there, and is no more.
    Found(Raw<B>),
    /// The queue is on another CPU.
    There(CpuId),
    /// It is not, or nobody receives.
    Nowhere,
}

/// Edges A3 and A4, at the home of the queue, if this is it.
fn look<B: Body>(crit: &Crit, mailbox: &Mailbox<B>, message: &Raw<B>) -> Sought<B> {
    match mailbox.side(crit) {
        Side::Closed => return Sought::Nowhere,
        Side::There(home) => return Sought::There(home),
        Side::Here(_) => {}
    }
    if let Some(found) = mailbox.unlink(crit, message) {
        return Sought::Found(found);
    }
    if let Some((call, word)) = mailbox.release(crit, message) {
        call(crit, word);
    }
    Sought::Nowhere
}

fn seek_there<B: Body>(crit: &Crit, message: usize, to: usize, _: usize) {
    seek(crit, parameters::<B>(message, to).0);
}

/// Waits until the message is answered and the request for it, if there was one, is over.
pub(crate) fn wait_back<B: Body>(message: &Raw<B>, cx: &mut MayBlock) {
    B::Exec::crit(|crit| {
        let it = message.message();
        while !it.is_back() {
            it.waiting.set(true);
            B::Exec::block(crit, cx, Why::on(Reason::Message, it));
        }
    });
    settle(message);
}

/// Asks for the message of a thread that waits in [`do_abortable`](crate::Port::do_abortable), from anywhere: such a
/// message is borrowed and has no handle. It serves one `do` at a time.
pub struct Aborter<B: Body> {
    /// The thread that waits, as a word, 0 if none does. Written on its home, read everywhere.
    thread: AtomicUsize,
    /// Which `do` this is: a request for an earlier one comes too late.
    turn: AtomicUsize,
    message: Home<Option<Raw<B>>>,
}

impl<B: Body> Aborter<B> {
    percpu::maybe_const! {
        /// An aborter that serves nobody yet.
        pub fn new() -> Self {
            let (thread, turn) = (AtomicUsize::new(0), AtomicUsize::new(0));
            Self { thread, turn, message: Home::new(None) }
        }
    }

    /// Asks for the message that is under way; none is: no effect (edges A0 and A1, by way of the waiting thread's CPU).
    pub fn abort(&'static self) {
        // Relaxed: a number that only tells one `do` from another.
        let turn = self.turn.load(Ordering::Relaxed);
        B::Exec::crit(|crit| self.reach(crit, turn));
    }

    fn reach(&'static self, crit: &Crit, turn: usize) {
        let Some(thread) = self.thread() else { return };
        let here = B::Exec::here(crit);
        let home = thread.home();
        if home != here {
            return B::Exec::call(crit, home, reach_there::<B>, [word_of(self), turn, 0]);
        }
        // It may have been done before it came here: then this is for nobody, or for who is told by another.
        if self.thread() == Some(thread)
            && self.turn.load(Ordering::Relaxed) == turn
            && let Some(message) =
                self.message.with(crit, |message| message.as_ref().map(Raw::watch))
        {
            ask(crit, &message);
        }
    }

    #[allow(unsafe_code)]
    fn thread(&self) -> Option<ThreadRef> {
        // Pairs with: `serve`, release.
        let word = self.thread.load(Ordering::Acquire);
        // SAFETY: only `serve` stores a word that is not 0, and it comes from a thread.
        (word != 0).then(|| unsafe { ThreadRef::from_word(word) })
    }

    /// Waits for the reply to `message`, which the running thread has sent, and lets others ask for it.
    ///
    /// # Panics
    /// If another thread waits with this aborter.
    pub(crate) fn serve(&'static self, cx: &mut MayBlock, message: &Raw<B>) {
        B::Exec::crit(|crit| {
            let me = B::Exec::current(crit).into_word();
            // Pairs with: the store below, release: the last thread's accesses are over; and `thread`, acquire.
            let free = self.thread.compare_exchange(0, me, Ordering::AcqRel, Ordering::Relaxed);
            assert!(free.is_ok(), "an aborter serves one `do` at a time");
            self.turn.store(self.turn.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
            self.message.with(crit, |own| *own = Some(message.watch()));
        });
        wait_back(message, cx);
        B::Exec::crit(|crit| {
            self.message.with(crit, |own| *own = None);
            // Pairs with: the exchange above, acquire.
            self.thread.store(0, Ordering::Release);
        });
    }
}

impl<B: Body> Default for Aborter<B> {
    fn default() -> Self {
        Self::new()
    }
}

fn reach_there<B: Body>(crit: &Crit, aborter: usize, turn: usize, _: usize) {
    static_of::<Aborter<B>>(aborter).reach(crit, turn);
}

impl<B: Body> fmt::Debug for Aborting<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aborting").finish_non_exhaustive()
    }
}

impl<B: Body> fmt::Debug for Aborter<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aborter").finish_non_exhaustive()
    }
}
