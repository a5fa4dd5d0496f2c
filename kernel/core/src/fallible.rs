//! Allocation that can fail without ending the kernel.

use crate::faults;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::alloc::Layout;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering, fence};

/// No memory; the value comes back.
pub(crate) struct NoMemory<T>(pub(crate) T);

/// `Box::new` that gives the value back without memory.
pub(crate) fn boxed<T>(value: T) -> Result<Box<T>, NoMemory<T>> {
    let layout = Layout::new::<T>();
    if layout.size() == 0 {
        return Ok(Box::new(value));
    }
    if faults::refuses_memory() {
        return Err(NoMemory(value));
    }
    // SAFETY: the layout is not empty.
    let memory = unsafe { alloc::alloc::alloc(layout) }.cast::<T>();
    if memory.is_null() {
        return Err(NoMemory(value));
    }
    // SAFETY: fresh memory of the layout of `T`.
    unsafe { memory.write(value) };
    // SAFETY: allocated by the global allocator with the layout of `T`, and initialised.
    Ok(unsafe { Box::from_raw(memory) })
}

/// `length` zeroes, or nothing without memory.
pub(crate) fn zeroes(length: usize) -> Option<Vec<u8>> {
    if faults::refuses_memory() {
        return None;
    }
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length).ok()?;
    bytes.resize(length, 0);
    Some(bytes)
}

fn pages(count: usize) -> Option<Layout> {
    Layout::from_size_align(count * arch::layout::PAGE, arch::layout::PAGE).ok()
}

/// Contiguous zeroed pages of the kernel heap; null without memory.
pub(crate) fn zeroed_pages(count: usize) -> *mut u8 {
    match pages(count) {
        // SAFETY: the layout is not empty: nobody asks for no pages.
        Some(layout) if count > 0 && !faults::refuses_memory() => unsafe {
            alloc::alloc::alloc_zeroed(layout)
        },
        _ => core::ptr::null_mut(),
    }
}

/// Gives pages of [`zeroed_pages`] back.
pub(crate) fn free_pages(base: *mut u8, count: usize) {
    if let Some(layout) = pages(count) {
        // SAFETY: the callers give back what `zeroed_pages` gave, once, with its count.
        unsafe { alloc::alloc::dealloc(base, layout) };
    }
}

/// A box with a copy of `template`, made without passing through the stack, for what is too large for that.
///
/// # Safety
/// `template` is a static that nobody uses otherwise: its bytes, copied, are a value of its own.
pub(crate) unsafe fn boxed_copy<T>(template: &'static T) -> Option<Box<T>> {
    let layout = Layout::new::<T>();
    if layout.size() == 0 {
        return None;
    }
    // SAFETY: the layout is not empty.
    let memory = unsafe { alloc::alloc::alloc(layout) }.cast::<T>();
    if memory.is_null() {
        return None;
    }
    // SAFETY: fresh memory of the layout of `T`; the caller's promise about the bytes.
    unsafe { core::ptr::copy_nonoverlapping(template, memory, 1) };
    // SAFETY: allocated by the global allocator with the layout of `T`, and initialised.
    Some(unsafe { Box::from_raw(memory) })
}

/// A value that several hold and that goes with the last of them: an `Arc` that can be refused.
pub(crate) struct Shared<T>(NonNull<Held<T>>);

struct Held<T> {
    holders: AtomicUsize,
    value: T,
}

// SAFETY: as `Arc`'s: the value is reached from wherever it is held, and dropped by whoever lets go last.
unsafe impl<T: Send + Sync> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// Held once; gives the value back without memory.
    pub(crate) fn new(value: T) -> Result<Self, NoMemory<T>> {
        match boxed(Held { holders: AtomicUsize::new(1), value }) {
            Ok(held) => Ok(Self(NonNull::from(Box::leak(held)))),
            Err(NoMemory(held)) => Err(NoMemory(held.value)),
        }
    }

    fn held(&self) -> &Held<T> {
        // SAFETY: made from a box, which is there while anybody holds it.
        unsafe { self.0.as_ref() }
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        self.held().holders.fetch_add(1, Ordering::Relaxed);
        Self(self.0)
    }
}

impl<T> core::ops::Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.held().value
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // Pairs with: the fence below, of who lets go last.
        if self.held().holders.fetch_sub(1, Ordering::Release) == 1 {
            // Pairs with: the release above of all others: what they did with the value comes before its end.
            fence(Ordering::Acquire);
            // SAFETY: made from a box, and nobody holds it any more.
            drop(unsafe { Box::from_raw(self.0.as_ptr()) });
        }
    }
}
