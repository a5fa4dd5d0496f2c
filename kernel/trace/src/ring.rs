//! A ring of whole frames: one producer (its CPU), one consumer (who holds the drain lock).
//!
//! | producer                          | consumer                            | forbids                       |
//! |-----------------------------------|-------------------------------------|-------------------------------|
//! | load `tail` acquire, copy frame   | copy frame, store `tail` release    | overwriting an unread frame   |
//! | store `head` release              | load `head` acquire, copy frame     | reading an incomplete frame   |

use crate::sync::{AtomicUsize, Bytes};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Bytes of the length in front of each frame.
const HEADER: usize = 2;

/// Frames of bytes in a circle of `N`; `head` and `tail` count bytes since the start and never wrap in practice.
pub struct Ring<const N: usize> {
    head: AtomicUsize,
    tail: AtomicUsize,
    bytes: Bytes<N>,
}

// SAFETY: (1) the producer writes only bytes outside [tail, head), the consumer reads only inside; (2) both ends move
// by release and are read by acquire (the table above), so no byte is accessed by both at once.
unsafe impl<const N: usize> Sync for Ring<N> {}

/// The ring has no room for the frame now.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub struct Full;

impl<const N: usize> Ring<N> {
    /// Makes an empty ring.
    #[cfg(not(feature = "loom"))]
    pub const fn new() -> Self {
        Self { head: AtomicUsize::new(0), tail: AtomicUsize::new(0), bytes: Bytes::new() }
    }

    /// Makes an empty ring.
    #[cfg(feature = "loom")]
    pub fn new() -> Self {
        Self { head: AtomicUsize::new(0), tail: AtomicUsize::new(0), bytes: Bytes::new() }
    }

    /// Publishes a whole frame.
    ///
    /// # Errors
    /// `Full` if it does not fit now; nothing is published then.
    ///
    /// # Safety
    /// The caller is the only producer: on the CPU of this ring, with interrupts off, not nested in itself.
    pub unsafe fn push(&self, frame: &[u8]) -> Result<(), Full> {
        let head = self.head.load(Relaxed);
        // Pairs with: Ring::pop, release of `tail`.
        let tail = self.tail.load(Acquire);
        let need = HEADER + frame.len();
        if frame.len() > u16::MAX as usize || need > N - head.wrapping_sub(tail) {
            return Err(Full);
        }
        // SAFETY: (1) room was checked; (2) the bytes lie outside [tail, head), which the consumer does not read.
        unsafe { self.put(head, &(frame.len() as u16).to_le_bytes()) };
        // SAFETY: as above, behind the header.
        unsafe { self.put(head.wrapping_add(HEADER), frame) };
        // Pairs with: Ring::pop, acquire of `head`.
        self.head.store(head.wrapping_add(need), Release);
        Ok(())
    }

    /// Moves the oldest frame into `to` and returns its length; `None` if there is none.
    ///
    /// A frame longer than `to` is cut; the transport's buffers never let that happen.
    ///
    /// # Safety
    /// The caller is the only consumer: it holds the drain lock.
    pub unsafe fn pop(&self, to: &mut [u8]) -> Option<usize> {
        let tail = self.tail.load(Relaxed);
        // Pairs with: Ring::push, release of `head`.
        let head = self.head.load(Acquire);
        if head == tail {
            return None;
        }
        let mut header = [0; HEADER];
        // SAFETY: a published frame lies inside [tail, head), which the producer does not write.
        unsafe { self.get(tail, &mut header) };
        let len = u16::from_le_bytes(header) as usize;
        let kept = len.min(to.len());
        // SAFETY: as above.
        unsafe { self.get(tail.wrapping_add(HEADER), &mut to[..kept]) };
        // Pairs with: Ring::push, acquire of `tail`.
        self.tail.store(tail.wrapping_add(HEADER + len), Release);
        Some(kept)
    }

    /// # Safety
    /// As [`Bytes::write`], for the bytes from `at` on, around the end.
    unsafe fn put(&self, at: usize, from: &[u8]) {
        let at = at % N;
        let (first, second) = from.split_at(from.len().min(N - at));
        // SAFETY: by contract, and cut at the end of the circle.
        unsafe { self.bytes.write(at, first) };
        // SAFETY: by contract; the rest starts at the beginning of the circle.
        unsafe { self.bytes.write(0, second) };
    }

    /// # Safety
    /// As [`Bytes::read`], for the bytes from `at` on, around the end.
    unsafe fn get(&self, at: usize, to: &mut [u8]) {
        let at = at % N;
        let cut = to.len().min(N - at);
        let (first, second) = to.split_at_mut(cut);
        // SAFETY: by contract, and cut at the end of the circle.
        unsafe { self.bytes.read(at, first) };
        // SAFETY: by contract; the rest starts at the beginning of the circle.
        unsafe { self.bytes.read(0, second) };
    }
}

impl<const N: usize> Default for Ring<N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
