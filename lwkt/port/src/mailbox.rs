//! A queue of messages with one owner thread: what thread ports and reply ports are made of.
//!
//! Context law: the queue is touched on the home CPU of the owner alone; every other CPU sends the message there.

use lwkt_sched::{MayBlock, Reason, ThreadRef, Why};
use percpu::sync::{AtomicUsize, Ordering};
use percpu::{CpuId, Crit};

use crate::message::Heed;
use crate::queue::Queue;
use crate::raw::{Home, Raw, arguments, parameters};
use crate::reply::answer;
use crate::set::Link;
use crate::{Body, Error, Exec};

/// Who is told of the next message: nobody, the owner, the set that the mailbox is in, or both.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Watch(u8);

impl Watch {
    const NOBODY: Self = Self(0);
    const OWNER: Self = Self(1);
    const SET: Self = Self(2);
}

/// Urgencies of a message.
pub(crate) const ORDINARY: bool = false;
const URGENT: bool = true;

/// What the home of the owner has to itself.
struct Inner<B: Body> {
    queue: Queue<B>,
    watch: Watch,
    claimed: bool,
    /// Messages that were received and are to be aborted by a call.
    held: Queue<B>,
}

/// A queue of messages with one owner thread.
pub(crate) struct Mailbox<B: Body> {
    /// The owner as a word, 0 if there is none. Written on its home CPU, read everywhere.
    owner: AtomicUsize,
    inner: Home<Inner<B>>,
    pub(crate) link: Home<Link<B::Exec>>,
}

/// Where a mailbox is, seen from here.
pub(crate) enum Side {
    /// Nobody receives.
    Closed,
    /// The owner, who lives here.
    Here(ThreadRef),
    /// On another CPU, as far as is known here.
    There(CpuId),
}

impl<B: Body> Mailbox<B> {
    percpu::maybe_const! {
        pub fn new() -> Self {
            let (queue, held) = (Queue::new(), Queue::new());
            let inner = Inner { queue, watch: Watch::NOBODY, claimed: false, held };
            Self { owner: AtomicUsize::new(0), inner: Home::new(inner), link: Home::new(Link::NONE) }
        }
    }

    /// Lends what the owner's home has to itself. A debug build looks whether this is it.
    #[inline(always)]
    fn with<R>(&self, crit: &Crit, f: impl FnOnce(&mut Inner<B>) -> R) -> R {
        debug_assert!(
            self.owner().is_none_or(|owner| owner.home() == B::Exec::here(crit)),
            "a mailbox touched away from its owner's home"
        );
        self.inner.with(crit, f)
    }

    #[allow(unsafe_code)]
    fn owner(&self) -> Option<ThreadRef> {
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

    #[cfg(all(test, feature = "loom"))]
    pub fn seize(&mut self) {
        self.owner.with_mut(|owner| assert_eq!(*owner, 0));
    }

    /// The running thread receives from now on. Fails if another owns it, or it does so already.
    pub fn claim(&self, crit: &Crit) -> bool {
        let me = B::Exec::current(crit);
        self.assign(me) && self.with(crit, |inner| !core::mem::replace(&mut inner.claimed, true))
    }

    /// Edge 7. The owner leaves: what is queued, and what comes from now on, is answered `Closed`.
    ///
    /// # Panics
    /// If a message is held that was received here: the call of its abort would come too late.
    pub fn close(&'static self, crit: &Crit) {
        crate::set::leave(crit, self);
        self.with(crit, |inner| {
            assert!(inner.held.is_empty(), "a message is held at a port that is closed");
            (inner.claimed, inner.watch) = (false, Watch::NOBODY);
        });
        while let Some(message) = self.pop(crit) {
            answer(crit, message, Err(Error::Closed));
        }
        // Pairs with: `assign`, acquire.
        self.owner.store(0, Ordering::Release);
    }

    /// Where the queue may be touched. `Here` holds until this critical section ends or serves messages: the owner runs on this
    /// CPU alone, so until then it neither leaves the port nor the CPU.
    #[inline]
    pub fn side(&self, crit: &Crit) -> Side {
        loop {
            let Some(owner) = self.owner() else { return Side::Closed };
            let here = B::Exec::here(crit);
            let home = owner.home();
            if home != here {
                return Side::There(home);
            }
            // It may have left the port before it came here, and another may have taken that over.
            if self.is_owned_by(owner) {
                return Side::Here(owner);
            }
        }
    }

    #[inline(always)]
    fn is_owned_by(&self, thread: ThreadRef) -> bool {
        // Relaxed: who owns it lives here, and wrote that here or before it came, which `home` has acquired.
        self.owner.load(Ordering::Relaxed) == thread.into_word()
    }

    /// Edges 1, 2 and 6: `message` goes to the port, by way of the owner's CPU.
    #[inline]
    pub fn put(&'static self, crit: &Crit, message: Raw<B>) {
        self.put_as::<ORDINARY>(crit, message);
    }

    /// As [`put`](Self::put), before those that are not urgent.
    pub fn put_urgent(&'static self, crit: &Crit, message: Raw<B>) {
        self.put_as::<URGENT>(crit, message);
    }

    #[inline]
    fn put_as<const URGENCY: bool>(&'static self, crit: &Crit, message: Raw<B>) {
        probe::put(message.name(), core::ptr::from_ref(self).addr() as u64);
        message.set_place(Some(self));
        self.deliver::<URGENCY, false>(crit, message);
    }

    /// The end of edge 1, 2 or 6, or the way there. A receipt is given once, `NOTED` or not before.
    #[inline]
    pub fn deliver<const URGENCY: bool, const NOTED: bool>(
        &'static self,
        crit: &Crit,
        message: Raw<B>,
    ) {
        match self.side(crit) {
            Side::Closed => answer(crit, message, Err(Error::Closed)),
            Side::There(home) => {
                let words = arguments(message, Some(self));
                B::Exec::call(crit, home, put_there::<B, URGENCY, NOTED>, words);
            }
            // Whatever a receipt does, it may have served other messages, by which the owner leaves.
            Side::Here(_) if !NOTED && message.note() => {
                self.deliver::<URGENCY, true>(crit, message);
            }
            Side::Here(owner) => self.enter(crit, owner, |queue| match URGENCY {
                ORDINARY => queue.push(message),
                URGENT => queue.push_urgent(message),
            }),
        }
    }

    /// At the owner's home: a message, or a reply.
    pub fn push(&'static self, crit: &Crit, owner: ThreadRef, message: Raw<B>) {
        self.enter(crit, owner, |queue| queue.push(message));
    }

    #[inline(always)]
    fn enter(&'static self, crit: &Crit, owner: ThreadRef, push: impl FnOnce(&mut Queue<B>)) {
        let watch = self.with(crit, |inner| {
            push(&mut inner.queue);
            core::mem::replace(&mut inner.watch, Watch::NOBODY)
        });
        match watch {
            Watch::NOBODY => {}
            Watch::OWNER => B::Exec::wake(crit, owner),
            _ => self.surface(crit, owner, watch),
        }
    }

    #[cold]
    fn surface(&'static self, crit: &Crit, owner: ThreadRef, watch: Watch) {
        let set_waits = watch.0 & Watch::SET.0 != 0 && crate::set::surface(crit, self);
        if set_waits || watch.0 & Watch::OWNER.0 != 0 {
            B::Exec::wake(crit, owner);
        }
    }

    /// Queues a message that was answered at once. By the owner.
    pub fn queue(&'static self, crit: &Crit, message: Raw<B>) {
        self.push(crit, B::Exec::current(crit), message);
    }

    /// The next message. By the owner.
    #[inline]
    pub fn pop(&self, crit: &Crit) -> Option<Raw<B>> {
        let message = self.with(crit, |inner| inner.queue.pop())?;
        probe::received(message.name(), core::ptr::from_ref(self).addr() as u64);
        Some(message)
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

    /// The next message; waits for it until `deadline`. By the owner.
    pub fn next_until(&'static self, cx: &mut MayBlock, deadline: u64) -> Option<Raw<B>> {
        B::Exec::crit(|crit| {
            loop {
                if let Some(message) = self.pop(crit) {
                    return Some(message);
                }
                if B::Exec::now() >= deadline {
                    self.watch(crit, false);
                    return None;
                }
                self.watch(crit, true);
                B::Exec::block_until(crit, cx, Why::on(Reason::Port, self), deadline);
            }
        })
    }

    /// Whether there is a message. By the owner.
    pub fn ready(&self, crit: &Crit) -> bool {
        self.with(crit, |inner| !inner.queue.is_empty())
    }

    /// The next message wakes the owner, or does not. By the owner.
    #[inline]
    pub fn watch(&self, crit: &Crit, waiting: bool) {
        self.with(crit, |inner| match waiting {
            true => inner.watch.0 |= Watch::OWNER.0,
            false => inner.watch.0 &= !Watch::OWNER.0,
        });
    }

    /// The next message tells the set that the mailbox is in. By the owner.
    pub fn watch_for_set(&self, crit: &Crit) {
        self.with(crit, |inner| inner.watch.0 |= Watch::SET.0);
    }

    /// It is in no set any more. By the owner.
    pub fn unwatch_for_set(&self, crit: &Crit) {
        self.with(crit, |inner| inner.watch.0 &= !Watch::SET.0);
    }

    /// Takes `message` out of the queue if it is in. At the owner's home.
    pub fn unlink(&self, crit: &Crit, message: &Raw<B>) -> Option<Raw<B>> {
        self.with(crit, |inner| inner.queue.unlink(message))
    }

    /// Holds a message that was received here. By the owner.
    pub fn hold(&self, crit: &Crit, message: &Raw<B>, heed: Heed) {
        message.message().heed.set(Some(heed));
        self.with(crit, |inner| inner.held.push(message.watch()));
    }

    /// Holds the message no longer: what was to be called, if it was not. At the owner's home.
    pub fn release(&self, crit: &Crit, message: &Raw<B>) -> Option<Heed> {
        let held = self.with(crit, |inner| inner.held.unlink(message))?;
        held.message().heed.take()
    }
}

/// A message arrives for a port whose owner lived here when it was sent.
pub(crate) fn put_there<B: Body, const URGENCY: bool, const NOTED: bool>(
    crit: &Crit,
    message: usize,
    to: usize,
    _: usize,
) {
    if let (message, Some(port)) = parameters::<B>(message, to) {
        port.deliver::<URGENCY, NOTED>(crit, message);
    }
}
