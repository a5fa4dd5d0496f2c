//! A queue of messages with one owner thread: what thread ports and reply ports are made of.
//!
//! Context law: the queue is touched on the home CPU of the owner alone; every other CPU sends the message there.

use core::sync::atomic::{AtomicUsize, Ordering};

use lwkt_sched::{MayBlock, Reason, ThreadRef, Why};
use percpu::Crit;

use crate::raw::{Home, Raw, arguments, parameters};
use crate::{Body, Error, Exec};

/// A FIFO of messages, and whether the owner waits for one.
pub(crate) struct Queue<B: Body> {
    ends: Option<(Raw<B>, Raw<B>)>,
    waiting: bool,
    claimed: bool,
}

impl<B: Body> Queue<B> {
    fn push(&mut self, message: Raw<B>) {
        message.link(None);
        self.ends = Some(match self.ends.take() {
            None => (message.watch(), message),
            Some((first, last)) => {
                last.link(Some(message.watch()));
                (first, message)
            }
        });
    }

    fn pop(&mut self) -> Option<Raw<B>> {
        let (first, last) = self.ends.take()?;
        self.ends = first.take_link().map(|next| (next, last));
        Some(first)
    }
}

/// A queue of messages with one owner thread.
pub(crate) struct Mailbox<B: Body> {
    /// The owner as a word, 0 if there is none. Written on its home CPU, read everywhere.
    owner: AtomicUsize,
    queue: Home<Queue<B>>,
}

impl<B: Body> Mailbox<B> {
    pub const fn new() -> Self {
        let queue = Queue { ends: None, waiting: false, claimed: false };
        Self { owner: AtomicUsize::new(0), queue: Home::new(queue) }
    }

    #[allow(unsafe_code)]
    pub fn owner(&self) -> Option<ThreadRef> {
        // Pairs with: `assign`, `close`: the queue as they left it.
        let word = self.owner.load(Ordering::Acquire);
        // SAFETY: only `assign` stores a word that is not 0, and it comes from a thread.
        (word != 0).then(|| unsafe { ThreadRef::from_word(word) })
    }

    /// Makes `thread` the owner, if there is none; whether it is the owner now.
    pub fn assign(&self, thread: ThreadRef) -> bool {
        let word = thread.into_word();
        // Pairs with: `close`, release: the last owner's accesses are over; and `owner`, acquire.
        match self.owner.compare_exchange(0, word, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => true,
            Err(owner) => owner == word,
        }
    }

    /// The running thread receives from now on. Fails if another owns it, or it does so already.
    pub fn claim(&self, crit: &Crit) -> bool {
        let me = B::Exec::current(crit);
        self.assign(me)
            && self.queue.with(crit, |queue| !core::mem::replace(&mut queue.claimed, true))
    }

    /// Edge 7. The owner leaves: what is queued, and what comes from now on, is answered `Closed`.
    pub fn close(&self, crit: &Crit) {
        self.queue.with(crit, |queue| (queue.claimed, queue.waiting) = (false, false));
        while let Some(message) = self.pop(crit) {
            answer(crit, message, Err(Error::Closed));
        }
        // Pairs with: `assign`, acquire.
        self.owner.store(0, Ordering::Release);
    }

    /// Edges 1, 2 and 6: `message` goes to the port, by way of the owner's CPU.
    #[inline]
    pub fn put(&'static self, crit: &Crit, message: Raw<B>) {
        let Some(owner) = self.owner() else {
            return answer(crit, message, Err(Error::Closed));
        };
        let home = owner.home();
        if home != B::Exec::here(crit) {
            return B::Exec::call(crit, home, put_there::<B>, arguments(message, Some(self)));
        }
        self.push(crit, owner, message);
    }

    /// At the owner's home.
    fn push(&self, crit: &Crit, owner: ThreadRef, message: Raw<B>) {
        let waiting = self.queue.with(crit, |queue| {
            queue.push(message);
            core::mem::take(&mut queue.waiting)
        });
        if waiting {
            B::Exec::wake(crit, owner);
        }
    }

    /// Queues a message that was answered at once. By the owner.
    pub fn queue(&self, crit: &Crit, message: Raw<B>) {
        self.queue.with(crit, |queue| queue.push(message));
    }

    /// The next message. By the owner.
    #[inline]
    pub fn pop(&self, crit: &Crit) -> Option<Raw<B>> {
        self.queue.with(crit, Queue::pop)
    }

    /// The next message; waits for it. By the owner.
    pub fn next(&'static self, cx: &mut MayBlock) -> Raw<B> {
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

    /// Whether there is a message. By the owner.
    pub fn ready(&self, crit: &Crit) -> bool {
        self.queue.with(crit, |queue| queue.ends.is_some())
    }

    /// The next message wakes the owner, or does not. By the owner.
    #[inline]
    pub fn watch(&self, crit: &Crit, waiting: bool) {
        self.queue.with(crit, |queue| queue.waiting = waiting);
    }
}

/// A message arrives for a port whose owner lived here when it was sent.
fn put_there<B: Body>(crit: &Crit, message: usize, to: usize, _: usize) {
    if let (message, Some(port)) = parameters::<B>(message, to) {
        port.put(crit, message);
    }
}

/// Edge 4: the answer goes to the sender, by way of its CPU.
#[inline]
pub(crate) fn answer<B: Body>(crit: &Crit, message: Raw<B>, reply: Result<B::Reply, Error>) {
    message.message().reply.set(Some(reply));
    deliver(crit, message);
}

/// Edge 5, at the sender's home: sends the answer there, or marks it or queues it here.
fn deliver<B: Body>(crit: &Crit, message: Raw<B>) {
    let marks = message.message();
    let Some(sender) = marks.sender.get() else { return };
    let home = sender.home();
    if home != B::Exec::here(crit) {
        return B::Exec::call(crit, home, deliver_there::<B>, arguments(message, None));
    }
    match marks.reply_to.get() {
        Some(replies) => replies.push(crit, sender, message),
        None => {
            let waiting = marks.waiting.get();
            // From here on the message is the sender's.
            marks.done.set(true);
            if waiting {
                B::Exec::wake(crit, sender);
            }
        }
    }
}

/// An answer arrives for a sender that lived here when it was sent.
fn deliver_there<B: Body>(crit: &Crit, message: usize, to: usize, _: usize) {
    deliver(crit, parameters::<B>(message, to).0);
}
