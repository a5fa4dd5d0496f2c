//! Decisions about memory, without the memory.
//!
//! Frames are numbers, heap objects are addresses, regions are ranges; nothing here reads or writes what they name,
//! except through [`Links`] and [`Words`], which the kernel implements over its direct map and the tests over an array.
//! Law: [`Magazine`] and [`Objects`] belong to one CPU and are touched only inside its critical section; what is of another CPU's
//! slabs goes back to it ([`remote`]); a [`Pool`] is shared and stands behind a lock that the common path never takes.
#![no_std]
#![deny(unsafe_code)]

pub mod classes;
pub mod frames;
pub mod magazine;
pub mod objects;
pub mod regions;
pub mod remote;
pub mod slab;

pub use frames::{Frame, Links, Pool};
pub use magazine::Magazine;
pub use objects::{Leaving, Objects};
pub use regions::{Backing, Region, RegionError, Regions};
pub use slab::Words;

/// Bytes in a page and in a frame.
pub const PAGE: usize = 4096;

#[cfg(test)]
extern crate std;
#[cfg(test)]
mod tests;
