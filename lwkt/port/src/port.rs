//! Ports: where a message is sent, and whose time its handling takes.

use lwkt_sched::MayBlock;

use crate::abort::{Aborter, ask, wait_back};
use crate::handles::{Owned, Sent, reply_of, wait_for, wait_until};
use crate::offered::{Offered, Outcome};
use crate::raw::lend;
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

    /// As [`do_`](Self::do_), but at `deadline`, in nanoseconds as [`Exec::now`] counts, it asks for the message (edge A1).
    /// One that nobody has received comes back at once; for one that is worked on it waits.
    ///
    /// # Errors
    /// There is no reply of the receiver's; `Aborted`: there was none in time.
    fn do_until(
        &'static self,
        cx: &mut MayBlock,
        message: &mut Message<B>,
        deadline: u64,
    ) -> Result<B::Reply, Error> {
        lend(message, |message| {
            let watch = message.watch();
            if let Some(reply) = self.put(Offered::fresh(message, None)).into_done() {
                return reply;
            }
            if !wait_until(&watch, cx, deadline) {
                B::Exec::crit(|crit| ask(crit, &watch));
                wait_back(&watch, cx);
            }
            reply_of(&watch)
        })
    }

    /// As [`do_`](Self::do_), and whoever has `aborter` may ask for the message meanwhile (edge A1).
    ///
    /// # Errors
    /// There is no reply of the receiver's.
    ///
    /// # Panics
    /// If another `do` waits with `aborter`.
    fn do_abortable(
        &'static self,
        cx: &mut MayBlock,
        message: &mut Message<B>,
        aborter: &'static Aborter<B>,
    ) -> Result<B::Reply, Error> {
        lend(message, |message| {
            let watch = message.watch();
            if let Some(reply) = self.put(Offered::fresh(message, None)).into_done() {
                return reply;
            }
            aborter.serve(cx, &watch);
            reply_of(&watch)
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

    /// Sends `message`; its reply is queued with the others of `replies` (edge 1). There is no handle to ask for this one by:
    /// that is what [`send`](Self::send) and [`Sent::give_up`] are for.
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
