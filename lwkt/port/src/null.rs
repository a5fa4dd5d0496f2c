//! Ports that answer without anybody: the same thing always, or with a panic.

use core::fmt;
use core::panic::Location;

use lwkt_sched::MayBlock;

use crate::{Body, Error, Message, Offered, Outcome, Owned, Port, Replies, Sent};

/// A port that answers each message at once, with the same reply.
#[derive(Debug, Default)]
pub struct NullPort<R> {
    reply: R,
}

impl<R> NullPort<R> {
    /// A port that replies so.
    pub const fn new(reply: R) -> Self {
        Self { reply }
    }
}

impl<B: Body> Port<B> for NullPort<B::Reply>
where
    B::Reply: Clone + Sync,
{
    #[inline]
    fn put<'m>(&'static self, message: Offered<'m, B>) -> Outcome<'m, B> {
        message.done(self.reply.clone())
    }
}

/// A port that nothing must be sent to, as a stand-in for one that is not there yet or no more: a message is a panic that
/// names the port, and the file and line of the sender.
pub struct PanicPort {
    name: &'static str,
}

impl PanicPort {
    /// A port that is called so in the panic.
    pub const fn new(name: &'static str) -> Self {
        Self { name }
    }

    #[track_caller]
    fn refuse(&self) -> ! {
        panic!("a message for port {}, from {}", self.name, Location::caller())
    }
}

impl<B: Body> Port<B> for PanicPort {
    #[track_caller]
    fn put<'m>(&'static self, _: Offered<'m, B>) -> Outcome<'m, B> {
        self.refuse()
    }

    #[track_caller]
    fn do_(&'static self, _: &mut MayBlock, _: &mut Message<B>) -> Result<B::Reply, Error> {
        self.refuse()
    }

    #[track_caller]
    fn do_until(
        &'static self,
        _: &mut MayBlock,
        _: &mut Message<B>,
        _: u64,
    ) -> Result<B::Reply, Error> {
        self.refuse()
    }

    #[track_caller]
    fn do_abortable(
        &'static self,
        _: &mut MayBlock,
        _: &mut Message<B>,
        _: &'static crate::Aborter<B>,
    ) -> Result<B::Reply, Error> {
        self.refuse()
    }

    #[track_caller]
    fn send(&'static self, _: Owned<B>) -> Sent<B> {
        self.refuse()
    }

    #[track_caller]
    fn send_to(&'static self, _: Owned<B>, _: &mut Replies<B>) {
        self.refuse()
    }
}

impl fmt::Debug for PanicPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PanicPort({})", self.name)
    }
}
