//! Bytes on their way to a caller.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::ops::Deref;

/// Bytes of a message, behind room for a note by who carries them, so that carrying them takes no more memory.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(Vec<u8>);

impl Payload {
    /// Bytes of the note.
    pub const NOTE: usize = 24;

    /// A copy of `bytes`; `None` without memory.
    #[must_use]
    pub fn copied(bytes: &[u8]) -> Option<Self> {
        let mut payload = Self::with_room(bytes.len())?;
        payload.0.extend_from_slice(bytes);
        Some(payload)
    }

    /// The first `count` bytes of a buffer, which has them; `None`, and nothing is taken, without memory.
    #[must_use]
    pub fn taken(buffer: &mut VecDeque<u8>, count: usize) -> Option<Self> {
        let mut payload = Self::with_room(count)?;
        payload.0.extend(buffer.drain(..count));
        Some(payload)
    }

    /// The memory of it: the note, then the bytes.
    #[must_use]
    pub fn into_inner(self) -> Vec<u8> {
        self.0
    }

    /// It again; `None`: the memory has no room for a note.
    #[must_use]
    pub fn from_inner(memory: Vec<u8>) -> Option<Self> {
        (memory.len() >= Self::NOTE).then_some(Self(memory))
    }

    fn with_room(count: usize) -> Option<Self> {
        let mut memory = Vec::new();
        memory.try_reserve_exact(Self::NOTE + count).ok()?;
        memory.resize(Self::NOTE, 0);
        Some(Self(memory))
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0[Self::NOTE..]
    }
}

impl core::fmt::Debug for Payload {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        (**self).fmt(f)
    }
}
