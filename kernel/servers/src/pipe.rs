//! A pipe: bytes in order from writers to readers, each exactly once.
//!
//! ```text
//!            write, room             read, bytes
//!   writers ───────────▶ buffer ───────────▶ readers
//!      │ no room                                ▲ no bytes
//!      └── kept with what is left      kept ────┘
//! ```
//! After each operation the pipe may owe answers; its caller takes them one by one ([`Pipe::owed`]), with other operations
//! in between if need be. When nothing is owed, readers wait only while the buffer is empty and writers only while it is
//! full, so never both.

use crate::{MESSAGE_MAX, Outcome, Payload, Reply, copied};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Bytes that a pipe holds for readers that have not come.
pub const CAPACITY: usize = 16 * 1024;

#[derive(Debug)]
struct Writer<W> {
    who: W,
    /// What has found no room yet; nothing: the answer is owed.
    left: Vec<u8>,
    total: usize,
}

/// A pipe and those who wait for it; `W` names a caller.
#[derive(Debug)]
pub struct Pipe<W> {
    buffer: VecDeque<u8>,
    readers: VecDeque<(W, usize)>,
    writers: VecDeque<Writer<W>>,
    read_ends: u32,
    write_ends: u32,
}

/// One of the two ends of a pipe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// For `read`.
    Read,
    /// For `write`.
    Write,
}

impl<W: Copy + PartialEq> Pipe<W> {
    /// An empty pipe with one handle on each end.
    pub const fn new() -> Self {
        Self {
            buffer: VecDeque::new(),
            readers: VecDeque::new(),
            writers: VecDeque::new(),
            read_ends: 1,
            write_ends: 1,
        }
    }

    /// Takes up to `max` bytes.
    pub fn read(&mut self, who: W, max: usize) -> Outcome {
        let max = max.min(MESSAGE_MAX);
        if max == 0 {
            return Outcome::Now(Reply::Count(0));
        }
        if self.buffer.is_empty() || !self.readers.is_empty() {
            if self.is_over() {
                return Outcome::Now(Reply::Count(0));
            }
            if self.readers.try_reserve(1).is_err() {
                return Outcome::Now(Reply::NoMemory);
            }
            self.readers.push_back((who, max));
            return Outcome::Later;
        }
        Outcome::Now(self.take(max).map_or(Reply::NoMemory, Reply::Data))
    }

    /// Gives bytes, [`MESSAGE_MAX`] at most.
    pub fn write(&mut self, who: W, bytes: &[u8]) -> Outcome {
        if self.read_ends == 0 {
            return Outcome::Now(Reply::Closed);
        }
        let bytes = &bytes[..bytes.len().min(MESSAGE_MAX)];
        if self.buffer.try_reserve(CAPACITY.saturating_sub(self.buffer.len())).is_err() {
            return Outcome::Now(Reply::NoMemory);
        }
        let waits = self.writers.back().is_some_and(|last| !last.left.is_empty());
        let room = if waits { 0 } else { CAPACITY - self.buffer.len() };
        let (now, later) = bytes.split_at(room.min(bytes.len()));
        let kept = match copied(later) {
            Some(left) if left.is_empty() => None,
            Some(left) if self.writers.try_reserve(1).is_ok() => Some(left),
            _ => return Outcome::Now(Reply::NoMemory),
        };
        self.buffer.extend(now);
        match kept {
            None => Outcome::Now(Reply::Count(bytes.len())),
            Some(left) => {
                self.writers.push_back(Writer { who, left, total: bytes.len() });
                Outcome::Later
            }
        }
    }

    /// The next answer that is owed, and to whom; from now on it is given.
    pub fn owed(&mut self) -> Option<(W, Reply)> {
        if let Some(writer) = self.writers.front()
            && (writer.left.is_empty() || self.read_ends == 0)
        {
            let reply = match writer.left.is_empty() {
                true => Reply::Count(writer.total),
                false => Reply::Closed,
            };
            return self.writers.pop_front().map(|writer| (writer.who, reply));
        }
        let &(who, max) = self.readers.front()?;
        let reply = if !self.buffer.is_empty() {
            self.take(max).map_or(Reply::NoMemory, Reply::Data)
        } else if self.is_over() {
            Reply::Count(0)
        } else {
            return None;
        };
        self.readers.pop_front();
        Some((who, reply))
    }

    /// One more handle on an end.
    pub fn open(&mut self, end: End) {
        match end {
            End::Read => self.read_ends += 1,
            End::Write => self.write_ends += 1,
        }
    }

    /// One handle less on an end; after the last one those who wait for that end are owed an answer. Returns whether both
    /// ends are gone.
    pub fn close(&mut self, end: End) -> bool {
        let ends = match end {
            End::Read => &mut self.read_ends,
            End::Write => &mut self.write_ends,
        };
        *ends = ends.saturating_sub(1);
        self.read_ends == 0 && self.write_ends == 0
    }

    /// Forgets a caller that waits; bytes of it that are in the buffer already stay. Returns whether it waited.
    pub fn cancel(&mut self, who: W) -> bool {
        let before = self.readers.len() + self.writers.len();
        self.readers.retain(|(w, _)| *w != who);
        self.writers.retain(|w| w.who != who);
        before != self.readers.len() + self.writers.len()
    }

    /// Whether no byte will ever come again.
    fn is_over(&self) -> bool {
        self.write_ends == 0 && self.buffer.is_empty() && self.writers.is_empty()
    }

    fn take(&mut self, max: usize) -> Option<Payload> {
        let count = max.min(self.buffer.len());
        let payload = Payload::taken(&mut self.buffer, count)?;
        self.refill();
        Some(payload)
    }

    /// Moves bytes of waiting writers into the room there is: the buffer has had its full size since they came.
    fn refill(&mut self) {
        for writer in &mut self.writers {
            let count = writer.left.len().min(CAPACITY - self.buffer.len());
            self.buffer.extend(writer.left.drain(..count));
            if !writer.left.is_empty() {
                return;
            }
        }
    }
}

impl<W: Copy + PartialEq> Default for Pipe<W> {
    fn default() -> Self {
        Self::new()
    }
}
