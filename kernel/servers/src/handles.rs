//! The handles of a process: small numbers that name objects on their home CPUs.
//!
//! Law: any CPU process of the process may look up, install and close; each is one atomic step on one word, so a
//! handle is closed exactly once however many try.

use crate::slab::GENERATION_BITS;
use core::sync::atomic::{AtomicU64, Ordering};

/// Handles that a process may hold.
pub const MAX_HANDLES: usize = 128;

/// What a handle may name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    /// The reading end of a pipe.
    PipeRead = 1,
    /// The writing end of a pipe.
    PipeWrite = 2,
    /// A port that this process receives from.
    PortServer = 3,
    /// A port that this process calls.
    PortClient = 4,
}

impl Kind {
    fn from_bits(bits: u64) -> Option<Self> {
        [Self::PipeRead, Self::PipeWrite, Self::PortServer, Self::PortClient]
            .into_iter()
            .find(|k| *k as u64 == bits)
    }
}

/// An object: its kind, the CPU that owns it, and its number there (see [`crate::slab::Slab`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Object {
    /// What it is.
    pub kind: Kind,
    /// The CPU on which it lives.
    pub home: u16,
    /// Its number in the home's slab; generation and index, 20 bits each.
    pub number: u64,
}

const INDEX_BITS: u32 = 20;

impl Object {
    fn pack(self) -> Option<u64> {
        let index = self.number & 0xffff_ffff;
        let generation = self.number >> 32 & ((1 << GENERATION_BITS) - 1);
        (index < 1 << INDEX_BITS).then_some(
            (self.kind as u64) << 56
                | u64::from(self.home) << 40
                | generation << INDEX_BITS
                | index,
        )
    }

    fn unpack(word: u64) -> Option<Self> {
        let kind = Kind::from_bits(word >> 56)?;
        let generation = word >> INDEX_BITS & ((1 << GENERATION_BITS) - 1);
        let number = generation << 32 | word & ((1 << INDEX_BITS) - 1);
        Some(Self { kind, home: (word >> 40) as u16, number })
    }
}

/// The table of a process; handle numbers begin at 1.
#[derive(Debug)]
pub struct Handles {
    words: [AtomicU64; MAX_HANDLES],
}

impl Handles {
    /// No handles.
    pub const fn new() -> Self {
        Self { words: [const { AtomicU64::new(0) }; MAX_HANDLES] }
    }

    /// Gives an object a handle; `None` when the table is full.
    pub fn install(&self, object: Object) -> Option<u64> {
        let word = object.pack()?;
        // Release pairs with the acquire in `get` and `close`: who finds the handle finds the object made before it.
        let at = self.words.iter().position(|w| {
            w.compare_exchange(0, word, Ordering::Release, Ordering::Relaxed).is_ok()
        })?;
        Some(at as u64 + 1)
    }

    /// The object behind a handle.
    pub fn get(&self, handle: u64) -> Option<Object> {
        // Acquire pairs with the release in `install`.
        Object::unpack(self.word(handle)?.load(Ordering::Acquire))
    }

    /// Takes a handle away; its object is the caller's to release.
    pub fn close(&self, handle: u64) -> Option<Object> {
        // Acquire pairs with the release in `install`.
        Object::unpack(self.word(handle)?.swap(0, Ordering::Acquire))
    }

    /// Takes every handle away, one after the other.
    pub fn close_all(&self) -> impl Iterator<Item = Object> {
        (1..=MAX_HANDLES as u64).filter_map(|handle| self.close(handle))
    }

    fn word(&self, handle: u64) -> Option<&AtomicU64> {
        self.words.get(usize::try_from(handle.checked_sub(1)?).ok()?)
    }
}

impl Default for Handles {
    fn default() -> Self {
        Self::new()
    }
}
