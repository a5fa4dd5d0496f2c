//! Benchmarks that run inside the guest: registry, loop, statistics, and the typed records they send.
//!
//! A benchmark is one [`bench!`] in one file; linking the crate that holds it registers it. [`run()`] measures all
//! that match a filter over an [`Env`] (kernel, ring-3 program, or host) and hands [`wire::Record`]s to a sink.
//! [`stats`] and [`wire`] are the same code on the host, which therefore cannot read what was not written.
//!
//! Context law: one benchmark runs at a time; its samples lie in a buffer that was touched before; nothing is sent,
//! allocated or sorted while the clock runs.
#![no_std]

#[cfg(test)]
extern crate std;

pub mod arguments;
mod bencher;
mod counters;
mod env;
mod peers;
mod registry;
pub mod run;
pub mod stats;
pub mod text;
pub mod wire;

pub use bencher::Bencher;
pub use counters::{Counter, Counters};
pub use env::{Edge, Env, Mode, Settings};
pub use peers::Peer;
pub use registry::{BENCHES, Bench, Curve, Unit, matches, unknown_part};
pub use run::{Outcome, list, run};

#[doc(hidden)]
pub use linkme;
