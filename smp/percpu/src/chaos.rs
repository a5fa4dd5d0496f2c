//! Points at which a test may change the interleaving.

/// A point in a protocol at which another CPU's step would be interesting.
///
/// Nothing in an ordinary build. Under shuttle it lets another thread run. Under loom it is nothing: loom tries each
/// order at each atomic by itself, and takes a yield for "others must run first", which would hide orders.
/// With the feature `chaos` it calls the hook of `set_chaos`.
#[inline(always)]
pub fn chaos_point() {
    #[cfg(all(feature = "shuttle", not(feature = "loom")))]
    shuttle::thread::yield_now();
    #[cfg(all(feature = "chaos", not(any(feature = "loom", feature = "shuttle"))))]
    hook::call();
}

#[cfg(feature = "chaos")]
pub use hook::set_chaos;

#[cfg(feature = "chaos")]
mod hook {
    // The hook is no part of what is modelled: it is in the real atomics always.
    use core::sync::atomic::{AtomicPtr, Ordering};

    static HOOK: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());

    /// Makes every [`chaos_point`](crate::chaos_point) call `hook`, on the CPU that passes it.
    pub fn set_chaos(hook: fn()) {
        // Pairs with: `call`, acquire.
        HOOK.store(hook as *mut (), Ordering::Release);
    }

    #[cfg_attr(
        any(feature = "loom", feature = "shuttle"),
        expect(dead_code, reason = "the models yield instead")
    )]
    #[inline]
    pub(super) fn call() {
        // Pairs with: `set_chaos`, release.
        let hook = HOOK.load(Ordering::Acquire);
        if !hook.is_null() {
            // SAFETY: 1. the only writer is `set_chaos`, which stores a `fn()`; 2. it is not null.
            let hook = unsafe { core::mem::transmute::<*mut (), fn()>(hook) };
            hook();
        }
    }
}
