//! Decisions about memory, without the memory.
//!
//! Frames are numbers, heap objects are addresses, regions are ranges; nothing here reads or writes what they name,
//! except through [`Links`], which the kernel implements over its direct map and the tests over an array.
//! Law: a [`Magazine`] belongs to one CPU and is touched only inside its critical section; a [`Pool`] and a
//! [`classes`] depot are shared and stand behind a lock that the common path never takes.
#![no_std]
#![forbid(unsafe_code)]

pub mod classes;
pub mod frames;
pub mod magazine;
pub mod regions;

pub use frames::{Frame, Links, Pool};
pub use magazine::Magazine;
pub use regions::{Backing, Region, RegionError, Regions};

/// Bytes in a page and in a frame.
pub const PAGE: usize = 4096;

#[cfg(test)]
extern crate std;
#[cfg(test)]
mod tests;
