//! A pipe: bytes in order from writers to readers, each exactly once.
//!
//! ```text
//!            write, room             read, bytes
//!   writers ───────────▶ buffer ───────────▶ readers
//!      │ no room                                ▲ no bytes
//!      └── kept with what is left      kept ────┘
//! ```
//! Readers wait only while the buffer is empty and writers only while it is full, so never both.

use crate::{MESSAGE_MAX, Outcome, Reply, copied};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Bytes that a pipe holds for readers that have not come.
pub const CAPACITY: usize = 16 * 1024;

#[derive(Debug)]
struct Writer<W> {
    who: W,
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

    /// Takes up to `max` bytes; may wake a writer.
    pub fn read(&mut self, who: W, max: usize, answer: impl FnMut(W, Reply)) -> Outcome {
        let max = max.min(MESSAGE_MAX);
        if max == 0 {
            return Outcome::Now(Reply::Data(Vec::new()));
        }
        if self.buffer.is_empty() {
            if self.write_ends == 0 {
                return Outcome::Now(Reply::Data(Vec::new()));
            }
            if self.readers.try_reserve(1).is_err() {
                return Outcome::Now(Reply::NoMemory);
            }
            self.readers.push_back((who, max));
            return Outcome::Later;
        }
        let Some(data) = self.take(max) else { return Outcome::Now(Reply::NoMemory) };
        self.refill(answer);
        Outcome::Now(Reply::Data(data))
    }

    /// Gives bytes, [`MESSAGE_MAX`] at most; may wake readers.
    pub fn write(&mut self, who: W, bytes: &[u8], mut answer: impl FnMut(W, Reply)) -> Outcome {
        if self.read_ends == 0 {
            return Outcome::Now(Reply::Closed);
        }
        let bytes = &bytes[..bytes.len().min(MESSAGE_MAX)];
        if self.buffer.try_reserve(CAPACITY.saturating_sub(self.buffer.len())).is_err() {
            return Outcome::Now(Reply::NoMemory);
        }
        let room = if self.writers.is_empty() { CAPACITY - self.buffer.len() } else { 0 };
        let (now, later) = bytes.split_at(room.min(bytes.len()));
        let kept = match copied(later) {
            Some(left) if left.is_empty() => None,
            Some(left) if self.writers.try_reserve(1).is_ok() => Some(left),
            _ => return Outcome::Now(Reply::NoMemory),
        };
        self.buffer.extend(now);
        let outcome = match kept {
            None => Outcome::Now(Reply::Count(bytes.len())),
            Some(left) => {
                self.writers.push_back(Writer { who, left, total: bytes.len() });
                Outcome::Later
            }
        };
        self.serve(&mut answer);
        outcome
    }

    /// One more handle on an end.
    pub fn open(&mut self, end: End) {
        match end {
            End::Read => self.read_ends += 1,
            End::Write => self.write_ends += 1,
        }
    }

    /// One handle less on an end; the last one answers those who wait for that end. Returns whether both ends are gone.
    pub fn close(&mut self, end: End, mut answer: impl FnMut(W, Reply)) -> bool {
        match end {
            End::Read => {
                self.read_ends = self.read_ends.saturating_sub(1);
                if self.read_ends == 0 {
                    self.writers.drain(..).for_each(|w| answer(w.who, Reply::Closed));
                }
            }
            End::Write => {
                self.write_ends = self.write_ends.saturating_sub(1);
                if self.write_ends == 0 {
                    self.readers
                        .drain(..)
                        .for_each(|(who, _)| answer(who, Reply::Data(Vec::new())));
                }
            }
        }
        self.read_ends == 0 && self.write_ends == 0
    }

    /// Forgets a caller that waits; bytes of it that are in the buffer already stay. Returns whether it waited.
    pub fn cancel(&mut self, who: W) -> bool {
        let before = self.readers.len() + self.writers.len();
        self.readers.retain(|(w, _)| *w != who);
        self.writers.retain(|w| w.who != who);
        before != self.readers.len() + self.writers.len()
    }

    fn take(&mut self, max: usize) -> Option<Vec<u8>> {
        let count = max.min(self.buffer.len());
        let mut data = Vec::new();
        data.try_reserve_exact(count).ok()?;
        data.extend(self.buffer.drain(..count));
        Some(data)
    }

    /// Moves bytes of waiting writers into the room there is.
    fn refill(&mut self, mut answer: impl FnMut(W, Reply)) {
        while let Some(writer) = self.writers.front_mut() {
            let count = writer.left.len().min(CAPACITY - self.buffer.len());
            self.buffer.extend(writer.left.drain(..count));
            if !writer.left.is_empty() {
                return;
            }
            answer(writer.who, Reply::Count(writer.total));
            self.writers.pop_front();
        }
    }

    /// Gives bytes to waiting readers, first come first served.
    fn serve(&mut self, answer: &mut impl FnMut(W, Reply)) {
        while !self.buffer.is_empty() {
            let Some(&(who, max)) = self.readers.front() else { return };
            let reply = self.take(max).map_or(Reply::NoMemory, Reply::Data);
            self.readers.pop_front();
            answer(who, reply);
            self.refill(&mut *answer);
        }
    }
}

impl<W: Copy + PartialEq> Default for Pipe<W> {
    fn default() -> Self {
        Self::new()
    }
}
