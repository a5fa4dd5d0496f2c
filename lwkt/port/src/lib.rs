//! LWKT messages and ports: how threads, and subsystems, ask things of one another.
//!
//! The law: one side owns a message at a time, and the type of the handle says which. [`Owned`] is the sender's;
//! sending moves it; the receiver has a [`Received`] and replies once, by moving it; the sender gets a [`Replied`].
//! Only a synchronous `do` borrows a message, because it returns after the reply. The same memory is request and reply;
//! nothing is copied or allocated.
//!
//! Context law: a port's queue and a message's marks are touched by the home CPU of their thread alone; a message for
//! a port of another CPU travels there as a remote call, which is the one that would wake the receiver anyway.
//! Whatever waits takes a `MayBlock`; a handler that runs in its caller has none.
//!
//! Neighbours: `lwkt-sched` below; the kernel ties both to the machine through [`Exec`].
#![no_std]
#![deny(unsafe_code)]

#[cfg(test)]
extern crate std;

mod handles;
mod mailbox;
mod message;
mod port;
mod raw;
mod reply;
mod sync;
#[cfg(test)]
mod tests;
mod thread;
mod wait;

pub use handles::{Owned, Received, Replied, Sent};
pub use lwkt_sched::Exec;
pub use message::{Body, Error, Message};
pub use port::{Offered, Outcome, Port, Taken};
pub use reply::{Replies, ReplyPort};
pub use sync::{Handler, SyncPort};
pub use thread::{Server, ThreadPort};
pub use wait::{Source, wait_any};
