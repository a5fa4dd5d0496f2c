//! The log of one CPU: frame buffers for what nests, the ring, the count of lost frames.
//!
//! ```text
//!            (1) begin            (2) end, outermost
//!   Free ----------------> Filling ----------------> Free      (published to the ring)
//!                             | (3) end, nested
//!                             v
//!                           Ready --------------------> Free   (published by the outermost end)
//!                                  (4) publish_ready
//! ```
//! The outermost frame (interrupts are off) uses buffer 0. What interrupts it all the same, an NMI or a fault, uses
//! another; its frame waits as Ready until the outermost publication is over, so the ring has one producer.

use crate::{FRAME_BYTES, RING_BYTES, Ring};
use core::cell::UnsafeCell;
use core::sync::atomic::{
    AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed, compiler_fence,
};

/// Buffers per CPU: one ordinary, two for what nests.
const LEVELS: usize = 3;
/// Nesting that is followed; deeper frames are dropped.
const DEPTH: usize = 8;
/// Stack entry of a frame that got no buffer.
const NONE: u8 = u8::MAX;

const FREE: u8 = 0;
const FILLING: u8 = 1;
const READY: u8 = 2;

struct Frame {
    state: AtomicU8,
    overflow: AtomicBool,
    len: AtomicUsize,
    bytes: UnsafeCell<[u8; FRAME_BYTES]>,
    encoder: UnsafeCell<defmt::Encoder>,
}

impl Frame {
    const fn new() -> Self {
        Self {
            state: AtomicU8::new(FREE),
            overflow: AtomicBool::new(false),
            len: AtomicUsize::new(0),
            bytes: UnsafeCell::new([0; FRAME_BYTES]),
            encoder: UnsafeCell::new(defmt::Encoder::new()),
        }
    }

    fn push(&self, piece: &[u8]) {
        let len = self.len.load(Relaxed);
        let end = len + piece.len();
        if end > FRAME_BYTES {
            self.overflow.store(true, Relaxed);
            return;
        }
        // SAFETY: (1) a Filling buffer is touched by the context that began it alone; (2) `end` was checked.
        let bytes = unsafe { &mut *self.bytes.get() };
        bytes[len..end].copy_from_slice(piece);
        self.len.store(end, Relaxed);
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: nobody writes a buffer while its frame is being published: it is Filling by us, or Ready.
        let bytes = unsafe { &*self.bytes.get() };
        &bytes[..self.len.load(Relaxed)]
    }
}

/// The log of one CPU. All but [`CpuLog::lost`] is for that CPU alone.
pub struct CpuLog {
    frames: [Frame; LEVELS],
    /// Which buffer each level of nesting uses.
    stack: [AtomicU8; DEPTH],
    depth: AtomicUsize,
    irq: AtomicUsize,
    urgent: AtomicBool,
    lost: AtomicU64,
    pub(crate) ring: Ring<RING_BYTES>,
}

// SAFETY: (1) frames are touched only on the CPU of the log, in properly nested contexts (see the module head), or after
// all CPUs have stopped; (2) the ring is Sync; (3) the rest is atomic.
unsafe impl Sync for CpuLog {}

/// What the outermost end of a frame does when the ring is full.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OnFull {
    /// Drop the frame and count it.
    Drop,
    /// Make room first.
    Drain,
}

impl CpuLog {
    /// Makes an empty log.
    #[cfg(not(feature = "loom"))]
    pub const fn new() -> Self {
        Self::with_ring(Ring::new())
    }

    /// Makes an empty log.
    #[cfg(feature = "loom")]
    pub fn new() -> Self {
        Self::with_ring(Ring::new())
    }

    const fn with_ring(ring: Ring<RING_BYTES>) -> Self {
        Self {
            frames: [const { Frame::new() }; LEVELS],
            stack: [const { AtomicU8::new(NONE) }; DEPTH],
            depth: AtomicUsize::new(0),
            irq: AtomicUsize::new(0),
            urgent: AtomicBool::new(false),
            lost: AtomicU64::new(0),
            ring,
        }
    }

    /// Frames dropped so far.
    pub fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }

    /// Begins a frame (edge 1). `irq` is the interrupt state to restore at the outermost end.
    pub(crate) fn begin(&self, irq: usize) {
        let depth = self.depth.load(Relaxed);
        self.depth.store(depth + 1, Relaxed);
        // What interrupts us from here on sees the deeper level, and undoes its own.
        compiler_fence(core::sync::atomic::Ordering::SeqCst);
        if depth == 0 {
            self.irq.store(irq, Relaxed);
        }
        if depth >= DEPTH {
            return;
        }
        let candidates = if depth == 0 { 0..1 } else { 1..LEVELS };
        let chosen = candidates.into_iter().find(|&i| self.frames[i].state.load(Relaxed) == FREE);
        let Some(index) = chosen else {
            self.stack[depth].store(NONE, Relaxed);
            return;
        };
        let frame = &self.frames[index];
        frame.state.store(FILLING, Relaxed);
        frame.overflow.store(false, Relaxed);
        frame.len.store(0, Relaxed);
        self.stack[depth].store(index as u8, Relaxed);
        // SAFETY: the buffer is Filling by this context alone.
        let encoder = unsafe { &mut *frame.encoder.get() };
        // The separator that the encoder puts before its first frame is an empty frame to the decoder: left out.
        encoder.start_frame(|_| ());
    }

    /// Adds raw bytes to the current frame.
    pub(crate) fn write(&self, bytes: &[u8]) {
        if let Some(frame) = self.current() {
            // SAFETY: the buffer is Filling by this context alone.
            let encoder = unsafe { &mut *frame.encoder.get() };
            encoder.write(bytes, |piece| frame.push(piece));
        }
    }

    /// Ends the frame (edges 2, 3). `publish` gets each frame that may go into the ring now and says whether it went.
    /// Returns the interrupt state to restore if this was the outermost.
    pub(crate) fn end(&self, mut publish: impl FnMut(&[u8], OnFull) -> bool) -> Option<usize> {
        let depth = self.depth.load(Relaxed).saturating_sub(1);
        match self.current() {
            None => self.count_lost(),
            Some(frame) => {
                // SAFETY: the buffer is Filling by this context alone.
                let encoder = unsafe { &mut *frame.encoder.get() };
                encoder.end_frame(|piece| frame.push(piece));
                if frame.overflow.load(Relaxed) {
                    self.count_lost();
                    frame.state.store(FREE, Relaxed);
                } else if depth == 0 {
                    let on_full =
                        if self.urgent.load(Relaxed) { OnFull::Drain } else { OnFull::Drop };
                    if !publish(frame.bytes(), on_full) {
                        self.count_lost();
                    }
                    frame.state.store(FREE, Relaxed);
                } else {
                    frame.state.store(READY, Relaxed);
                }
            }
        }
        if depth == 0 {
            self.publish_ready(&mut publish);
        }
        let irq = self.irq.load(Relaxed);
        compiler_fence(core::sync::atomic::Ordering::SeqCst);
        self.depth.store(depth, Relaxed);
        (depth == 0).then_some(irq)
    }

    /// Publishes what nested frames left behind (edge 4). Only the outermost, or after all CPUs have stopped.
    pub(crate) fn publish_ready(&self, publish: &mut impl FnMut(&[u8], OnFull) -> bool) {
        for frame in &self.frames {
            if frame.state.load(Relaxed) == READY {
                if !publish(frame.bytes(), OnFull::Drop) {
                    self.count_lost();
                }
                frame.state.store(FREE, Relaxed);
            }
        }
    }

    /// Marks the frames that follow as records, which must not be lost; returns what was set before.
    pub(crate) fn set_urgent(&self, urgent: bool) -> bool {
        let before = self.urgent.load(Relaxed);
        self.urgent.store(urgent, Relaxed);
        before
    }

    fn current(&self) -> Option<&Frame> {
        let depth = self.depth.load(Relaxed).checked_sub(1)?;
        let index = self.stack.get(depth)?.load(Relaxed);
        self.frames.get(index as usize)
    }

    fn count_lost(&self) {
        // Only this CPU writes the count: no locked add.
        self.lost.store(self.lost.load(Relaxed) + 1, Relaxed);
    }
}

impl Default for CpuLog {
    fn default() -> Self {
        Self::new()
    }
}
