//! The kernel's benchmarks: a file for each cost, in `costs/`, found by the build script and the linker.
//!
//! Law: a file is complete. It says in one sentence what it measures, what would make it lie, and the shape to expect;
//! everything that it needs of the kernel it calls as any part of the kernel would.
#![no_std]

extern crate alloc;

mod environment;
mod questions;
mod steps;

include!(concat!(env!("OUT_DIR"), "/costs.rs"));

pub use environment::{Kernel, run};
