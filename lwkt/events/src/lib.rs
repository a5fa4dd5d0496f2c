//! What threads and handlers wait for: events ([`WaitQueue`]), moments ([`Callout`]), each other ([`Serializer`]), and that nobody is
//! at something any more ([`Published`]).
//!
//! A wait queue is a set of CPUs; who waits on it is linked, on its own stack, into a list of its own CPU
//! ([`Waiters`]). A callout is memory of its owner's, armed in the heap of one CPU ([`Callouts`]), which runs its handler:
//! in place, or on that CPU's callout thread. Nothing is allocated. Context law: a CPU's lists, heap, and the callouts
//! whose home it is are touched by that CPU alone, in a critical section; the others ask it by message.
//!
//! Neighbours: `lwkt-sched` below; the kernel ties both to the machine through [`Events`].
#![no_std]
#![deny(unsafe_code)]

#[cfg(any(test, feature = "loom"))]
extern crate std;

mod answer;
mod callout;
mod callouts;
mod grace;
mod kernel;
#[cfg(all(test, feature = "loom"))]
mod loom;
#[cfg(feature = "loom")]
mod model;
mod node;
mod remote;
mod serializer;
#[cfg(all(test, not(feature = "loom")))]
mod tests;
mod wait_queue;
mod waiters;

pub use callout::{Callout, Elsewhere, Firing, OwnHandler, Reset, When};
pub use callouts::Callouts;
pub use grace::{Grace, Published, Sections, Taken};
pub use kernel::{Events, Key};
pub use remote::{fire, serve_one};
pub use serializer::{Serializer, SerializerGuard};
pub use wait_queue::{TimedOut, WaitQueue, Woken};
pub use waiters::Waiters;
