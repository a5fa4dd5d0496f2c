//! LWKT threads: what each CPU's scheduler decides, without the hardware that carries it out.
//!
//! Every CPU has one [`Scheduler`]; nobody else touches it or the threads whose home it is, so no lock and no
//! locked instruction is needed: a critical section (`&Crit`) is enough. Another CPU asks by message:
//! [`Scheduler::wake`] and its like answer `Remote(cpu)` when the thread lives elsewhere, and the caller sends the
//! same request there. A decision is a value ([`Next`]); the kernel switches registers and stacks.
//!
//! Neighbours: `percpu` below; `lwkt-port`, `lwkt-token`, `lwkt-events` and the kernel's wiring above.
#![no_std]
#![deny(unsafe_code)]

#[cfg(any(test, feature = "sim", feature = "loom"))]
extern crate std;

mod cache;
mod chase;
mod check;
mod context;
mod decision;
mod exec;
mod fifo;
mod held;
mod limit;
#[cfg(feature = "loom")]
pub mod model;
mod name;
mod preempt;
mod priority;
pub mod queue;
mod rare;
mod raw;
mod report;
mod scheduler;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
mod sorted;
mod start;
#[cfg(test)]
mod tests;
mod timers;
mod wait;

pub use cache::ThreadCache;
pub use chase::{CHASE_LIMIT, Chase, MOST_FORWARDS};
pub use check::Broken;
pub use context::{Hard, MayBlock};
pub use decision::{Join, Left, Next, Wake};
pub use exec::{CallFn, Exec};
pub use limit::{Limiter, Pace, Rates};
pub use name::Name;
pub use preempt::{Borrowed, Conditions, Refusal};
pub use priority::Priority;
pub use queue::RunQueue;
pub use rare::Rare;
pub use raw::{Context, Thread, ThreadRef};
pub use report::{Snapshot, Threads};
pub use scheduler::{Change, Expired, Give, Scheduler, Stays};
pub use start::{Life, Unstarted};
pub use timers::{Alarm, Node, Timers};
pub use wait::{Reason, State, Why};
