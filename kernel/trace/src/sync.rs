//! Real atomics and cells, or loom's under the feature `loom`: the models run the shipped code.

#[cfg(not(feature = "loom"))]
pub(crate) use core::sync::atomic::AtomicUsize;
#[cfg(feature = "loom")]
pub(crate) use loom::sync::atomic::AtomicUsize;

/// Bytes written by one side and read by the other; who may touch which is the caller's protocol.
#[cfg(not(feature = "loom"))]
pub(crate) struct Bytes<const N: usize>(core::cell::UnsafeCell<[u8; N]>);

#[cfg(not(feature = "loom"))]
impl<const N: usize> Bytes<N> {
    pub(crate) const fn new() -> Self {
        Self(core::cell::UnsafeCell::new([0; N]))
    }

    /// Copies `from` to `at`.
    ///
    /// # Safety
    /// `at + from.len() <= N`, and nobody else touches these bytes.
    pub(crate) unsafe fn write(&self, at: usize, from: &[u8]) {
        debug_assert!(at + from.len() <= N);
        let base: *mut u8 = self.0.get().cast();
        // SAFETY: `at` is inside the array, by contract.
        let to = unsafe { base.add(at) };
        // SAFETY: the bytes are inside the array and ours alone, by contract; `from` is another object.
        unsafe { core::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len()) }
    }

    /// Copies the bytes at `at` to `to`.
    ///
    /// # Safety
    /// `at + to.len() <= N`, and nobody writes these bytes meanwhile.
    pub(crate) unsafe fn read(&self, at: usize, to: &mut [u8]) {
        debug_assert!(at + to.len() <= N);
        let base: *const u8 = self.0.get().cast();
        // SAFETY: `at` is inside the array, by contract.
        let from = unsafe { base.add(at) };
        // SAFETY: the bytes are inside the array and not written meanwhile, by contract; `to` is another object.
        unsafe { core::ptr::copy_nonoverlapping(from, to.as_mut_ptr(), to.len()) }
    }
}

/// The same over loom's cells, one per byte, so that loom sees every overlap.
#[cfg(feature = "loom")]
pub(crate) struct Bytes<const N: usize>([loom::cell::UnsafeCell<u8>; N]);

#[cfg(feature = "loom")]
impl<const N: usize> Bytes<N> {
    pub(crate) fn new() -> Self {
        Self(core::array::from_fn(|_| loom::cell::UnsafeCell::new(0)))
    }

    /// Copies `from` to `at`.
    ///
    /// # Safety
    /// `at + from.len() <= N`, and nobody else touches these bytes.
    pub(crate) unsafe fn write(&self, at: usize, from: &[u8]) {
        for (i, byte) in from.iter().enumerate() {
            // SAFETY: the byte is ours alone, by contract; loom checks it.
            self.0[at + i].with_mut(|cell| unsafe { *cell = *byte });
        }
    }

    /// Copies the bytes at `at` to `to`.
    ///
    /// # Safety
    /// `at + to.len() <= N`, and nobody writes these bytes meanwhile.
    pub(crate) unsafe fn read(&self, at: usize, to: &mut [u8]) {
        for (i, byte) in to.iter_mut().enumerate() {
            // SAFETY: nobody writes the byte meanwhile, by contract; loom checks it.
            *byte = self.0[at + i].with(|cell| unsafe { *cell });
        }
    }
}
