//! Messages of a client that has many on their way at once.

use crate::dice::Dice;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use lwkt_port::{Body, Error, Message, Owned, Port, Sent};
use lwkt_sched::MayBlock;

/// Messages that are free. The memory of those that have come back by the end is given up with it.
pub(crate) struct Spare<B: Body + 'static>(Vec<Owned<B>>);

impl<B: Body> Spare<B> {
    /// So many, with bodies to be overwritten.
    pub fn new(count: usize, body: impl Fn() -> B) -> Self {
        let fresh = |_| Owned::new(Box::leak(Box::new(Message::new(body()))));
        Self((0..count).map(fresh).collect())
    }

    /// One of them, if there is one.
    pub fn pop(&mut self) -> Option<Owned<B>> {
        self.0.pop()
    }

    /// One that came from here and has come back.
    pub fn push(&mut self, message: Owned<B>) {
        self.0.push(message);
    }
}

impl<B: Body> Drop for Spare<B> {
    fn drop(&mut self) {
        for message in self.0.drain(..) {
            // SAFETY: `new` leaked it out of a box, and its owner gives it up.
            drop(unsafe { Box::from_raw(message.into_inner()) });
        }
    }
}

/// Questions by number, as many as there are messages, each waited for by itself.
pub(crate) struct Window<B: Body + 'static> {
    sent: VecDeque<(u64, Sent<B>)>,
    spare: Spare<B>,
    size: usize,
}

/// The number of a question, and what was answered.
type Answer<B> = (u64, Result<<B as Body>::Reply, Error>);

impl<B: Body> Window<B> {
    /// So many messages, with bodies to be overwritten.
    pub fn new(size: usize, body: impl Fn() -> B) -> Self {
        Self { sent: VecDeque::with_capacity(size), spare: Spare::new(size, body), size }
    }

    /// Asks. There is room for one more when [`take_if_full`](Self::take_if_full) was asked after the last.
    pub fn send(&mut self, to: &'static impl Port<B>, number: u64, body: B) {
        let mut message = self.spare.pop().expect("a window's worth, less those in `sent`");
        *message.body() = body;
        self.sent.push_back((number, to.send(message)));
    }

    /// Waits for the answer to any of the questions, if there is no room for another.
    pub fn take_if_full(&mut self, cx: &mut MayBlock, dice: &mut Dice) -> Option<Answer<B>> {
        if self.sent.len() < self.size {
            return None;
        }
        let chosen = dice.below(self.size);
        self.sent.swap(0, chosen);
        self.take(cx)
    }

    /// Waits for an answer; `None` when no question is open.
    pub fn take(&mut self, cx: &mut MayBlock) -> Option<Answer<B>> {
        let (number, message) = self.sent.pop_front()?;
        let (reply, message) = message.wait(cx).take();
        self.spare.push(message);
        Some((number, reply))
    }
}
