//! The carrier that the waiters of a shared object belong to: the first that asks.

use crate::sync::{AtomicPtr, Ordering};
use crate::{Carrier, Inbox};
use core::ptr::null_mut;

/// The home of a shared object, once it has one.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Home(AtomicPtr<Inbox>);

impl Home {
    percpu::maybe_const! {
        pub(crate) fn new() -> Self {
            Self(AtomicPtr::new(null_mut()))
        }
    }

    /// The home, which is `carrier` if there was none.
    pub(crate) fn or(&self, carrier: &'static Carrier) -> &'static Inbox {
        let mine = (&raw const *carrier.inbox()).cast_mut();
        // Pairs with: itself, on another carrier: who finds a home finds its inbox made.
        let home = self.0.compare_exchange(null_mut(), mine, Ordering::AcqRel, Ordering::Acquire);
        // SAFETY: only inboxes are stored, and they live as long as the process.
        unsafe { &*home.map_or_else(|home| home, |_| mine) }
    }
}
