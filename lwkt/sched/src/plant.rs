//! The planted bug, behind a cargo feature that is off: what the tests and the stress programs must see.

/// The bugs that this build contains.
pub const PLANTED: &[&str] = &[
    #[cfg(feature = "plant-drop-wake")]
    "plant-drop-wake",
];

/// Whether this wake is lost: each 97th.
#[inline(always)]
pub(crate) fn drop_wake() -> bool {
    #[cfg(feature = "plant-drop-wake")]
    {
        use core::sync::atomic::{AtomicUsize, Ordering};

        static TIMES: AtomicUsize = AtomicUsize::new(0);
        TIMES.fetch_add(1, Ordering::Relaxed) % 97 == 96
    }
    #[cfg(not(feature = "plant-drop-wake"))]
    {
        false
    }
}
