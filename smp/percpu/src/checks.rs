//! Whether a kernel is built with assertions for debugging. It then knows who took a lock where, and says so when it is misused.

use core::panic::Location;
#[cfg(debug_assertions)]
use core::sync::atomic::{AtomicPtr, Ordering};

crate::variants! {
    /// The variants by name; the first is the usual one.
    DAMSELFLY_CHECKS: off, on,
}

/// Where a lock was taken last, in builds that check; of no size in others, which never know.
#[derive(Debug, Default)]
pub struct Place {
    #[cfg(debug_assertions)]
    place: AtomicPtr<Location<'static>>,
}

impl Place {
    /// Nowhere yet.
    pub const fn new() -> Self {
        Self {
            #[cfg(debug_assertions)]
            place: AtomicPtr::new(core::ptr::null_mut()),
        }
    }

    /// Here.
    #[inline(always)]
    pub fn set(&self, place: &'static Location<'static>) {
        #[cfg(debug_assertions)]
        // Pairs with: `get`, acquire.
        self.place.store(core::ptr::from_ref(place).cast_mut(), Ordering::Release);
        let _ = place;
    }

    /// Where, if this build knows.
    pub fn get(&self) -> Option<&'static Location<'static>> {
        #[cfg(debug_assertions)]
        {
            // Pairs with: `set`, release.
            let place = self.place.load(Ordering::Acquire);
            // SAFETY: null, or made from a `&'static Location` in `set`.
            unsafe { place.as_ref() }
        }
        #[cfg(not(debug_assertions))]
        None
    }
}
