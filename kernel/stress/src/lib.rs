//! Tests and stress tests inside the kernel: a file for each, in `stress/`, `tests/` and (programs of ring 3) `user/`,
//! found by the build script and the linker.
//!
//! A stress test takes a seed, ends by itself, and counts: every message and wake exactly once, in order for each pair
//! of CPUs, every page back. A test is one short check. Both say by a record how they went. Law: a check that fails
//! leaves a kernel in which the next one can run, and says what was lost, doubled or out of order.
#![no_std]

extern crate alloc;

mod ballast;
mod crew;
mod dice;
mod held;
mod parking;
mod program;
mod registry;
mod run;
mod team;
mod window;

include!(concat!(env!("OUT_DIR"), "/checks.rs"));

pub use run::{stress, tests};
