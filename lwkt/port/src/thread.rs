//! Thread ports: messages wait for a thread, on its CPU.

use core::fmt;
use core::marker::PhantomData;

use lwkt_sched::{MayBlock, ThreadRef};

use crate::handles::Received;
use crate::mailbox::Mailbox;
use crate::raw::NotSend;
use crate::{Body, Exec, Offered, Outcome, Port};

/// A port whose messages wait for one thread, which receives them one at a time.
pub struct ThreadPort<B: Body> {
    urgent: Urgent<B>,
}

/// A thread port for messages that go before all others: [`ThreadPort::urgent`].
pub struct Urgent<B: Body> {
    mailbox: Mailbox<B>,
}

impl<B: Body> ThreadPort<B> {
    percpu::maybe_const! {
        /// A port that nobody receives at yet.
        pub fn new() -> Self {
            Self { urgent: Urgent { mailbox: Mailbox::new() } }
        }
    }

    /// Names the thread that will receive: from now on messages wait for it. False if that is another one; the thread
    /// itself may have been quicker.
    pub fn assign(&'static self, thread: ThreadRef) -> bool {
        self.mailbox().assign(thread)
    }

    /// The same port, for priority messages: what is sent here is received before all that was sent to the port itself, and
    /// in the order of the sends among its like. It costs a look at those of its like that wait; other messages pay nothing.
    pub fn urgent(&'static self) -> &'static Urgent<B> {
        &self.urgent
    }

    pub(crate) fn mailbox(&'static self) -> &'static Mailbox<B> {
        &self.urgent.mailbox
    }

    /// Touches what any CPU may look at while the port is published.
    #[cfg(all(test, feature = "loom"))]
    pub(crate) fn seize(&mut self) {
        self.urgent.mailbox.seize();
    }

    /// The receiving side, of the thread that has claimed its mailbox.
    pub(crate) fn server(&'static self) -> Server<B> {
        Server { port: self, thread: PhantomData }
    }

    /// The running thread receives from now on. `None` if a thread does so already, or another is to.
    pub fn claim(&'static self, _: &mut MayBlock) -> Option<Server<B>> {
        B::Exec::crit(|crit| self.mailbox().claim(crit)).then(|| self.server())
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
        B::Exec::crit(|crit| self.mailbox().put(crit, message.depart(crit)));
        Outcome::asynchronous()
    }
}

impl<B: Body> Port<B> for Urgent<B> {
    fn put<'m>(&'static self, message: Offered<'m, B>) -> Outcome<'m, B> {
        B::Exec::crit(|crit| self.mailbox.put_urgent(crit, message.depart(crit)));
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
        self.port.mailbox()
    }

    /// The next message, if there is one (edge 3).
    pub fn get(&mut self) -> Option<Received<B>> {
        B::Exec::crit(|crit| self.mailbox().pop(crit)).map(Received::of)
    }

    /// The next message; waits for it (edge 3).
    pub fn receive(&mut self, cx: &mut MayBlock) -> Received<B> {
        Received::of(self.mailbox().next(cx))
    }

    /// The next message (edge 3); waits for it until `deadline`, in nanoseconds as [`Exec::now`] counts.
    pub fn receive_until(&mut self, cx: &mut MayBlock, deadline: u64) -> Option<Received<B>> {
        self.mailbox().next_until(cx, deadline).map(Received::of)
    }
}

impl<B: Body> Drop for Server<B> {
    fn drop(&mut self) {
        B::Exec::crit(|crit| self.mailbox().close(crit));
    }
}

impl<B: Body> fmt::Debug for ThreadPort<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPort").finish_non_exhaustive()
    }
}

impl<B: Body> fmt::Debug for Urgent<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Urgent").finish_non_exhaustive()
    }
}

impl<B: Body> fmt::Debug for Server<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}
