//! CPU numbers and sets, critical sections, per-CPU cells, and the seam to the model checkers.
//!
//! Context law: what is in an [`Own`] is touched by its CPU alone, inside a critical section,
//! and a [`Crit`] is the proof of one. What other CPUs may look at is in a [`Counter`] or an atomic,
//! and only the owner writes it unless its type says otherwise. There is no third way;
//! who wants something done to another CPU's data sends a message (`ipiq`).
//!
//! Every crate that is checked under loom or shuttle takes its atomics from [`sync`], never from `core`.
#![no_std]

mod cell;
mod chaos;
pub mod checks;
mod cpu;
mod crit;
mod set;
pub mod sync;
mod variants;

pub use cell::{Block, Counter, Own, PerCpu};
pub use chaos::chaos_point;
#[cfg(feature = "chaos")]
pub use chaos::set_chaos;
pub use cpu::{CpuId, MAX_CPUS};
pub use crit::{Crit, Here};
pub use set::{AtomicCpuSet, CpuSet, Iter};
pub use variants::place;
