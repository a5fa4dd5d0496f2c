//! Ports that come and go: a place that stays, and behind it the port of the thread that has opened it.
//!
//! Law: nothing names the port but the place, in a section of [`Published`], and its server. A message on its way names the place,
//! and finds the port anew where it arrives; so when the sections are over that began before the port was taken away, nobody can be at its
//! memory. (A message's own memory needs no such time: its sender has it back with the reply, and the end of a request for it.)

use core::fmt;
use core::marker::PhantomData;

use lwkt_events::Published;
use lwkt_sched::MayBlock;
use percpu::Crit;

use crate::handles::Received;
use crate::mailbox::Side;
use crate::raw::{NotSend, Raw, look, to_place, with_place};
use crate::reply::answer;
use crate::thread::Server;
use crate::{Body, Error, Exec, Offered, Outcome, Port, ThreadPort};

/// A place at which one thread at a time receives, in a port whose memory it brings and gets back.
///
/// What is sent here is answered [`Error::Closed`] while nobody has it open, and when who has it open closes it. What is on its way
/// then may be received by the next who opens it. Who has it open waits at it alone: it is in no set and no batch, has no priority
/// messages, and holds none.
pub struct PublishedPort<B: Body> {
    port: Published<B::Exec, ThreadPort<B>>,
}

impl<B: Body> PublishedPort<B> {
    percpu::maybe_const! {
        /// A place that nobody has open.
        pub fn new() -> Self {
            Self { port: Published::new() }
        }
    }

    pub(crate) fn published(&self) -> &Published<B::Exec, ThreadPort<B>> {
        &self.port
    }

    /// The running thread receives here from now on, in `memory`.
    ///
    /// # Errors
    /// Another thread does: the memory comes back.
    pub fn open(
        &'static self,
        _: &mut MayBlock,
        memory: &'static mut ThreadPort<B>,
    ) -> Result<Opened<B>, &'static mut ThreadPort<B>> {
        self.port.publish(memory)?;
        let port = B::Exec::crit(|crit| {
            look(crit, self, |port| port.filter(|port| port.mailbox().claim(crit)))
        });
        // It was this thread's alone: nobody was assigned to it, and nobody else takes it away.
        let server = port.map(ThreadPort::server).expect("memory that was given up is unclaimed");
        Ok(Opened { place: self, server: Some(server), thread: PhantomData })
    }

    /// Edges 1, 2 and 6: as [`Mailbox::deliver`](crate::mailbox::Mailbox::deliver), by way of the place.
    fn deliver<const NOTED: bool>(&'static self, crit: &Crit, message: Raw<B>) {
        look(crit, self, |port| {
            let mailbox = port.map(ThreadPort::mailbox);
            match mailbox.map_or(Side::Closed, |mailbox| mailbox.side(crit)) {
                Side::Closed => answer(crit, message, Err(Error::Closed)),
                Side::There(home) => {
                    B::Exec::call(crit, home, put_there::<B, NOTED>, to_place(message, self));
                }
                // Whatever a receipt does, it may have served other messages, by which the owner leaves.
                Side::Here(_) if !NOTED && message.note() => self.deliver::<true>(crit, message),
                Side::Here(owner) => {
                    mailbox.expect("it has a side").push(crit, owner, message);
                }
            }
        });
    }
}

fn put_there<B: Body, const NOTED: bool>(crit: &Crit, message: usize, place: usize, _: usize) {
    let (message, place) = with_place::<B>(message, place);
    place.deliver::<NOTED>(crit, message);
}

impl<B: Body> Port<B> for PublishedPort<B> {
    fn put<'m>(&'static self, message: Offered<'m, B>) -> Outcome<'m, B> {
        B::Exec::crit(|crit| {
            let message = message.depart(crit);
            probe::put(message.name(), core::ptr::from_ref(self).addr() as u64);
            message.set_place_published(self);
            self.deliver::<false>(crit, message);
        });
        Outcome::asynchronous()
    }
}

impl<B: Body> Default for PublishedPort<B> {
    fn default() -> Self {
        Self::new()
    }
}

/// The receiving side of a [`PublishedPort`]. It stays with its thread; dropped, the place is free for the next, and the memory is
/// never used again.
pub struct Opened<B: Body> {
    place: &'static PublishedPort<B>,
    server: Option<Server<B>>,
    thread: NotSend,
}

impl<B: Body> Opened<B> {
    fn server(&mut self) -> &mut Server<B> {
        self.server.as_mut().expect("only `close` and `drop` take it, and they end this")
    }

    /// The next message, if there is one (edge 3).
    pub fn get(&mut self) -> Option<Received<B>> {
        self.server().get()
    }

    /// The next message; waits for it (edge 3).
    pub fn receive(&mut self, cx: &mut MayBlock) -> Received<B> {
        self.server().receive(cx)
    }

    /// The next message (edge 3); waits for it until `deadline`, in nanoseconds as [`Exec::now`] counts.
    pub fn receive_until(&mut self, cx: &mut MayBlock, deadline: u64) -> Option<Received<B>> {
        self.server().receive_until(cx, deadline)
    }

    /// Closes the place (edge 7), and waits until no CPU can be at the memory: it is the caller's again, for whatever it is to be.
    pub fn close(mut self, cx: &mut MayBlock) -> &'static mut ThreadPort<B> {
        let server = self.server.take();
        let taken = self.place.published().take();
        drop(server);
        taken.expect("who has it open alone takes it away").reclaim(cx)
    }
}

impl<B: Body> Drop for Opened<B> {
    fn drop(&mut self) {
        if self.server.is_some() {
            // Never reclaimed: who still looks at it finds it closed.
            let _ = self.place.published().take();
        }
    }
}

impl<B: Body> fmt::Debug for PublishedPort<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublishedPort").finish_non_exhaustive()
    }
}

impl<B: Body> fmt::Debug for Opened<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").finish_non_exhaustive()
    }
}
