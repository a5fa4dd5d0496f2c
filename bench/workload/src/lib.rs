//! Workloads: groups of equal threads, and what each of them does over and over.
//!
//! The simulator (`sim`) plays one on virtual CPUs, the kernel (`bench-play`) with threads of its own. Law: what both must agree on
//! is here and nowhere else: which thread begins where, when jobs arrive ([`Arrivals`]), how long each takes ([`Chance`]). It is all
//! integers, so that the kernel can, and so that each host comes to the same. How a workload gets into the kernel: [`form`].
#![no_std]
#![deny(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod chance;
mod figures;
pub mod form;
mod model;

pub use chance::{Arrivals, Chance, Job};
pub use figures::{Wakes, jain};
pub use model::{
    Affinity, Barrier, Choose, Count, Group, LONGEST, MOST_WINDOW, PRIORITIES, Pull, Send, Share,
    Source, Time, Workload,
};
