//! The way back: an answer goes to the sender, and so does the end of a request for a message.
//!
//! Context law: the marks of a message are touched on its sender's home alone; every other CPU sends there, and a home
//! that the sender has left sends after it. Edges as in [`Message`](crate::Message) and [`Aborting`](crate::Aborting).

use percpu::Crit;
use percpu::sync::Ordering;

use crate::plant;
use crate::raw::{Raw, arguments, parameters};
use crate::{Body, Error, Exec};

/// Edge 4: the answer goes to the sender, by way of its CPU.
#[inline]
pub(crate) fn answer<B: Body>(crit: &Crit, message: Raw<B>, reply: Result<B::Reply, Error>) {
    probe::replied(message.name());
    message.message().reply.set(Some(reply));
    deliver(crit, message);
}

/// Edge 5, at the sender's home: sends the answer there, or marks it or queues it here.
#[inline]
fn deliver<B: Body>(crit: &Crit, message: Raw<B>) {
    let sender = message.sender();
    let home = sender.home();
    if home != B::Exec::here(crit) {
        return B::Exec::call(crit, home, deliver_there::<B>, arguments(message, None));
    }
    probe::back(message.name());
    let it = message.message();
    if it.reply_to.get().is_some() {
        return collect(crit, message);
    }
    let waiting = it.waiting.get();
    // From here on the message is the sender's, if nobody asks for it.
    it.done.set(true);
    if waiting {
        B::Exec::wake(crit, sender);
    }
}

/// Edge 5 of a message that comes back with others, once nobody asks for it.
fn collect<B: Body>(crit: &Crit, message: Raw<B>) {
    let it = message.message();
    it.done.set(true);
    let (Some(replies), true) = (it.reply_to.get(), it.is_back()) else { return };
    settle(&message);
    replies.push(crit, message.sender(), message);
}

/// Edge A7: a request for `message` is over; its sender may have the message when it is answered.
pub(crate) fn over<B: Body>(crit: &Crit, message: Raw<B>) {
    let sender = message.sender();
    let home = sender.home();
    if home != B::Exec::here(crit) {
        return B::Exec::call(crit, home, over_there::<B>, arguments(message, None));
    }
    let it = message.message();
    it.asking.set(false);
    if !it.done.get() {
        return;
    }
    if it.reply_to.get().is_some() {
        collect(crit, message);
    } else if it.waiting.get() {
        B::Exec::wake(crit, sender);
    }
}

/// Edge 10, which is A3 and A7 in one: `message` goes back to the sender that has asked for it.
pub(crate) fn give_back<B: Body>(crit: &Crit, message: Raw<B>) {
    probe::aborted(message.name());
    message.message().reply.set(Some(Err(Error::Aborted)));
    return_to(crit, message);
}

fn return_to<B: Body>(crit: &Crit, message: Raw<B>) {
    let home = message.sender().home();
    if home != B::Exec::here(crit) {
        return B::Exec::call(crit, home, return_there::<B>, arguments(message, None));
    }
    let it = message.message();
    it.asking.set(false);
    deliver(crit, message);
}

fn return_there<B: Body>(crit: &Crit, message: usize, to: usize, _: usize) {
    return_to(crit, parameters::<B>(message, to).0);
}

/// Nobody wants the message back any more: it is back.
pub(crate) fn settle<B: Body>(message: &Raw<B>) {
    let it = message.message();
    if it.asked.get() {
        // Relaxed: the next to read it gets the message from who writes here.
        it.wanted.store(false, Ordering::Relaxed);
    }
}

/// An answer arrives for a sender that lived here when it was sent.
fn deliver_there<B: Body>(crit: &Crit, message: usize, to: usize, _: usize) {
    let (message, _) = parameters::<B>(message, to);
    plant::double_reply(crit, &message);
    deliver(crit, message);
}

/// What the planted bug does.
#[cfg(feature = "plants")]
pub(crate) fn deliver_again<B: Body>(crit: &Crit, message: usize, to: usize, _: usize) {
    let (message, _) = parameters::<B>(message, to);
    let home = message.sender().home();
    if home != B::Exec::here(crit) {
        return B::Exec::call(crit, home, deliver_again::<B>, arguments(message, None));
    }
    if message.message().reply_to.get().is_none() {
        deliver(crit, message);
    }
}

fn over_there<B: Body>(crit: &Crit, message: usize, to: usize, _: usize) {
    over(crit, parameters::<B>(message, to).0);
}
