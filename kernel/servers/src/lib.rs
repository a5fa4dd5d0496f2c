//! What the kernel's message servers decide, without the kernel.
//!
//! Every object (a pipe, a named port) lives on one CPU, its home, and only that CPU calls it, inside a critical
//! section; requests from elsewhere arrive as messages. A request is answered at once or kept together with a token
//! `W` that says whom to answer; an answer is given exactly once. A cancelled token is never answered afterwards.
//! Memory is asked for where a request can still be refused; giving an answer takes none.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod archive;
pub mod handles;
pub mod load;
pub mod options;
mod payload;
pub mod pipe;
pub mod port;
pub mod shown;
pub mod slab;

pub use payload::Payload;

use alloc::vec::Vec;

/// Most bytes that one message carries into or out of the kernel; more is a partial transfer.
pub const MESSAGE_MAX: usize = 4096;

/// What a server answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// Bytes for the caller's buffer.
    Data(Payload),
    /// A request for the caller's buffer, to be answered under this number.
    Request(u64, Payload),
    /// So many bytes were taken; 0 for a reader: the end of the stream.
    Count(usize),
    /// The other side is gone.
    Closed,
    /// No memory for what must be kept.
    NoMemory,
}

/// What became of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Answered at once.
    Now(Reply),
    /// Kept; the token will be answered later.
    Later,
}

/// A copy of `bytes`, or `None` without memory.
fn copied(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len()).ok()?;
    copy.extend_from_slice(bytes);
    Some(copy)
}

#[cfg(test)]
extern crate std;
#[cfg(test)]
mod tests;
