//! Tokens: who holds one runs. And spin locks, for the few places where nobody may wait.
//!
//! A mutex belongs to a thread until that gives it back, also while the thread waits for something else; hence lock orders,
//! deadlocks, and priority inheritance. A token only serialises threads *while they run*. One that leaves its CPU,
//! waiting or giving way, lets go all its tokens, and has all of them again when it comes back; only one that is preempted keeps them:
//!
//! ```text
//!   thread A   lock t ─ lock u ─ work ─ read from a port .......... ─ work ─ let go u, t
//!                                        │ waits: lets t, u go      ▲ comes back: takes t, u again, all or none
//!   thread B   lock u ─ waits for u .... ▼ takes u ─ work ─ let go u│
//!                       (and lets go its own, too)
//! ```
//!
//! - So any order of taking is free of deadlock: a wait with tokens in hand is a bounded spin.
//! - And what a token guards may have changed after every call that can wait, taking a further token included. The types say
//!   so: a reference to it does not live over such a call ([`TokenGuard`]).
//! - A token that is held may be taken again. It may be shared; from shared to exclusive nobody goes.
//! - As the holder runs, waits are short: [`wait`] says how they go, and why they end.
//! - It costs one locked instruction to take a token and none to let it go (one if it is shared), and nothing to threads
//!   that hold none: the number of tokens in hand stands in the word that a switch tests anyway.
//!
//! Context law: a list of tokens is its thread's; a token is everybody's, by one word ([`word`]). Whoever takes a token may
//! have to wait, so handlers of messages and interrupts, and hard sections, have none of them: they have spin locks
//! ([`spin`]). Neighbours: `lwkt-sched` below; the kernel ties both to its switch by [`Exec`].
#![no_std]
#![deny(unsafe_code)]

#[cfg(test)]
extern crate std;

mod exec;
mod held;
#[cfg(not(feature = "loom"))]
mod pool;
#[cfg(not(feature = "loom"))]
mod spin;
#[cfg(test)]
mod tests;
mod token;
mod wait;
mod word;

pub use exec::Exec;
pub use held::{Held, MAX};
#[cfg(not(feature = "loom"))]
pub use pool::Pool;
#[cfg(not(feature = "loom"))]
pub use spin::{SpinGuard, SpinLock};
pub use token::{Outer, SharedGuard, Token, TokenGuard};
pub use wait::take_again;
