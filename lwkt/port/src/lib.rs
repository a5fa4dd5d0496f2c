//! LWKT messages and ports: how threads, and subsystems, ask things of one another.
//!
//! The law: one side owns a message at a time, and the type of the handle says which. [`Owned`] is the sender's;
//! sending moves it; the receiver has a [`Received`] and replies once, by moving it; the sender gets a [`Replied`].
//! Only a synchronous `do` borrows a message, because it returns after the reply. The same memory is request and reply;
//! nothing is copied or allocated. A receiver replies, passes the message on ([`Received::forward`]: the reply from there goes to the sender), or
//! drops it, which answers [`Error::Dropped`].
//!
//! | port | who handles a message | when |
//! |---|---|---|
//! | [`ThreadPort`] | its one thread, on its CPU | when it receives; priority messages ([`ThreadPort::urgent`]) first |
//! | [`SpinPort`] | any of several threads, on any CPU | when one receives, priority messages first; the only port with a lock |
//! | [`SyncPort`] | its handler, in the sender | at once, unless the handler keeps it |
//! | [`PublishedPort`] | the one thread that has it open, whichever that is | when it receives; the port behind it comes and goes |
//! | [`Group`] | one of the ports that are its members | as that does |
//! | [`ReplyPort`] | the sender, who collects replies there | nothing can be sent to it |
//! | [`NullPort`], [`PanicPort`] | nobody | at once, always the same; a panic that names the sender |
//!
//! A sender waits for one message, for whichever is first ([`Replies`], [`wait_any`], [`PortSet`]), or until a deadline; asks for
//! one back ([`Aborting`]), or gives it up; or sends many under one doorbell ([`Batch`]). A kind of message may have a receipt
//! ([`Body::RECEIPT`]): a function that a port calls as it queues one, before the receiver sees it.
//!
//! Context law: a port's queue and a message's marks are touched by the home CPU of their thread alone; a message for
//! a port of another CPU travels there as a remote call, which is the one that would wake the receiver anyway. A thread
//! that moves takes both along: what comes to a home that it has left is sent after it.
//! Whatever waits takes a `MayBlock`; a handler that runs in its caller has none.
//!
//! Neighbours: `lwkt-sched` and `lwkt-events` below; the kernel ties all to the machine through [`Exec`].
#![no_std]
#![deny(unsafe_code)]

#[cfg(test)]
extern crate std;

mod abort;
mod batch;
mod group;
mod handles;
mod held;
#[cfg(all(test, feature = "loom"))]
mod loom;
mod mailbox;
mod message;
mod null;
mod offered;
#[cfg(feature = "plants")]
pub mod plant;
#[cfg(not(feature = "plants"))]
mod plant;
mod port;
mod published;
mod queue;
mod raw;
mod replies;
mod reply;
mod set;
mod spin;
mod sync;
#[cfg(all(test, not(feature = "loom")))]
mod tests;
mod thread;
mod wait;
mod waiters;

pub use abort::{Aborter, Aborting};
pub use batch::Batch;
pub use group::{ByBody, ByCpu, Group, InTurn, Rule};
pub use handles::{Owned, Received, Replied, Sent};
pub use held::Held;
pub use lwkt_sched::{CallFn, Exec};
pub use message::{Body, Error, Message};
pub use null::{NullPort, PanicPort};
pub use offered::{Offered, Outcome, Taken};
pub use port::Port;
pub use published::{Opened, PublishedPort};
pub use replies::{Replies, ReplyPort};
pub use set::{Member, PortSet, Seat, Watcher};
pub use spin::{Receiver, SpinPort, UrgentSpin};
pub use sync::{Handler, SyncPort};
pub use thread::{Server, ThreadPort, Urgent};
pub use wait::{Source, wait_any, wait_any_until};
