//! Spin ports: messages wait for any of several threads, on any CPUs.
//!
//! Context law: the only port with a lock. It is held in a critical section for a few instructions, which neither wait nor
//! call; who waits for it serves what is sent to his CPU.
//!
//! Neither a set nor `wait_any` takes a receiver: a wake here is for one of several, and who was woken for something else as well
//! could leave the message to sleepers whom nobody wakes. Nor does a batch take such a port: no message travels to it, so
//! none saves a doorbell.

use core::fmt;

use lwkt_sched::{MayBlock, Reason, Why};
use percpu::Crit;
use spin::{Mutex, MutexGuard};

use crate::handles::Received;
use crate::queue::Queue;
use crate::raw::{Raw, urgent_of};
use crate::reply::answer;
use crate::waiters::{Waiter, Waiters};
use crate::{Body, Error, Exec, Offered, Outcome, Port};

/// A port at which several threads receive, each message by one of them: whoever comes first.
///
/// ```text
///  put: lock - push - take the waiter that is first - unlock - wake it
///  receive: lock - pop, or become the last waiter - unlock - block; again
/// ```
/// No wake is lost: who finds no message is a waiter before the lock is free again, and who pushes next takes it.
pub struct SpinPort<B: Body> {
    inner: Mutex<Inner<B>>,
}

/// A spin port for messages that go before all others: [`SpinPort::urgent`].
#[repr(transparent)]
pub struct UrgentSpin<B: Body>(SpinPort<B>);

struct Inner<B: Body> {
    queue: Queue<B>,
    waiters: Waiters,
    receivers: usize,
}

impl<B: Body> SpinPort<B> {
    /// A port that nobody receives at yet.
    pub const fn new() -> Self {
        let inner = Inner { queue: Queue::new(), waiters: Waiters::new(), receivers: 0 };
        Self { inner: Mutex::new(inner) }
    }

    /// One more receiver, for any thread. With the first the port is open, with the last it is closed.
    pub fn receiver(&'static self) -> Receiver<B> {
        B::Exec::crit(|crit| self.lock(crit).receivers += 1);
        Receiver { port: self }
    }

    /// The same port, for priority messages, as [`ThreadPort::urgent`](crate::ThreadPort::urgent): received before all that
    /// was sent to the port itself.
    pub fn urgent(&'static self) -> &'static UrgentSpin<B> {
        urgent_of(self)
    }

    fn lock(&self, crit: &Crit) -> MutexGuard<'_, Inner<B>> {
        loop {
            if let Some(inner) = self.inner.try_lock() {
                return inner;
            }
            B::Exec::relax(crit);
        }
    }

    /// Edges 1, 2 and 6.
    #[inline]
    fn put_in(
        &'static self,
        crit: &Crit,
        message: Raw<B>,
        push: impl FnOnce(&mut Queue<B>, Raw<B>),
    ) {
        probe::put(message.name(), core::ptr::from_ref(self).addr() as u64);
        let mut inner = self.lock(crit);
        if inner.receivers == 0 {
            drop(inner);
            return answer(crit, message, Err(Error::Closed));
        }
        message.set_place_spin(self);
        message.note();
        push(&mut inner.queue, message);
        let waiter = inner.waiters.take();
        drop(inner);
        if let Some(thread) = waiter {
            B::Exec::wake(crit, thread);
        }
    }

    /// Takes `message` out of the queue if it is in. Anywhere.
    pub(crate) fn unlink(&self, crit: &Crit, message: &Raw<B>) -> Option<Raw<B>> {
        self.lock(crit).queue.unlink(message)
    }

    fn received(&self, message: Raw<B>) -> Received<B> {
        probe::received(message.name(), core::ptr::from_ref(self).addr() as u64);
        Received::of(message)
    }

    /// The next message (edge 3). Waits for it until `wait`, which blocks, says that it is too late.
    fn next(
        &'static self,
        cx: &mut MayBlock,
        mut wait: impl FnMut(&Crit, &mut MayBlock) -> Late,
    ) -> Option<Received<B>> {
        B::Exec::crit(|crit| {
            let waiter = Waiter::new(B::Exec::current(crit));
            let mut late = Late::No;
            loop {
                let mut inner = self.lock(crit);
                let message = inner.queue.pop();
                if message.is_some() || late == Late::Yes {
                    inner.waiters.remove(&waiter);
                    drop(inner);
                    return message.map(|message| self.received(message));
                }
                inner.waiters.add(&waiter);
                drop(inner);
                late = wait(crit, cx);
            }
        })
    }
}

/// Whether a deadline has passed.
#[derive(PartialEq, Eq)]
enum Late {
    Yes,
    No,
}

impl<B: Body> Default for SpinPort<B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<B: Body> Port<B> for SpinPort<B> {
    #[inline]
    fn put<'m>(&'static self, message: Offered<'m, B>) -> Outcome<'m, B> {
        B::Exec::crit(|crit| self.put_in(crit, message.depart(crit), Queue::push));
        Outcome::asynchronous()
    }
}

impl<B: Body> Port<B> for UrgentSpin<B> {
    fn put<'m>(&'static self, message: Offered<'m, B>) -> Outcome<'m, B> {
        B::Exec::crit(|crit| self.0.put_in(crit, message.depart(crit), Queue::push_urgent));
        Outcome::asynchronous()
    }
}

/// The right to receive at a [`SpinPort`]. It may go to any thread; the last that is dropped closes the port.
///
/// What is received here cannot be held: it has no home that could be told of its abort, which it sees itself.
///
/// ```compile_fail,E0599
/// # use lwkt_port::*;
/// fn told<B: Body>(cx: &mut lwkt_sched::MayBlock, mut receiver: Receiver<B>) {
///     let message = receiver.receive(cx);
///     receiver.hold(message, |_, _| {}, 0);
/// }
/// ```
pub struct Receiver<B: Body> {
    port: &'static SpinPort<B>,
}

impl<B: Body> Receiver<B> {
    /// The next message, if there is one (edge 3).
    pub fn get(&mut self) -> Option<Received<B>> {
        let message = B::Exec::crit(|crit| self.port.lock(crit).queue.pop());
        message.map(|message| self.port.received(message))
    }

    /// The next message; waits for it (edge 3).
    pub fn receive(&mut self, cx: &mut MayBlock) -> Received<B> {
        let port = self.port;
        let message = port.next(cx, |crit, cx| {
            B::Exec::block(crit, cx, Why::on(Reason::Port, port));
            Late::No
        });
        message.expect("it waits for ever")
    }

    /// The next message (edge 3); waits for it until `deadline`, in nanoseconds as [`Exec::now`] counts.
    pub fn receive_until(&mut self, cx: &mut MayBlock, deadline: u64) -> Option<Received<B>> {
        let port = self.port;
        port.next(cx, |crit, cx| {
            if B::Exec::now() < deadline {
                B::Exec::block_until(crit, cx, Why::on(Reason::Port, port), deadline);
                return Late::No;
            }
            Late::Yes
        })
    }
}

/// Edge 7, with the last of them.
impl<B: Body> Drop for Receiver<B> {
    fn drop(&mut self) {
        B::Exec::crit(|crit| {
            let mut inner = self.port.lock(crit);
            inner.receivers -= 1;
            if inner.receivers > 0 {
                return;
            }
            let mut queue = core::mem::replace(&mut inner.queue, Queue::new());
            drop(inner);
            while let Some(message) = queue.pop() {
                answer(crit, message, Err(Error::Closed));
            }
        });
    }
}

impl<B: Body> fmt::Debug for SpinPort<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpinPort").finish_non_exhaustive()
    }
}

impl<B: Body> fmt::Debug for UrgentSpin<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UrgentSpin").finish_non_exhaustive()
    }
}

impl<B: Body> fmt::Debug for Receiver<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}
