//! Planted bugs, each behind a cargo feature that is off: what the tests and the stress programs must see.
//!
//! | feature | what goes wrong, now and then |
//! |---|---|
//! | `plant-lose` | a call is counted as sent and put in no ring |
//! | `plant-double` | a call is executed twice |
//! | `plant-reorder` | two calls of one pair are executed in the wrong order |
//! | `plant-lost-doorbell` | the interrupt of an empty-to-pending step is not asked for |

/// The bugs that this build contains.
pub const PLANTED: &[&str] = &[
    #[cfg(feature = "plant-lose")]
    "plant-lose",
    #[cfg(feature = "plant-double")]
    "plant-double",
    #[cfg(feature = "plant-reorder")]
    "plant-reorder",
    #[cfg(feature = "plant-lost-doorbell")]
    "plant-lost-doorbell",
];

macro_rules! planted {
    ($($name:ident: $feature:literal,)+) => {
        $(#[inline(always)]
        pub(crate) fn $name() -> bool {
            #[cfg(feature = $feature)]
            {
                now()
            }
            #[cfg(not(feature = $feature))]
            {
                false
            }
        })+
    };
}

planted! {
    lose: "plant-lose",
    double: "plant-double",
    reorder: "plant-reorder",
    lose_doorbell: "plant-lost-doorbell",
}

/// Holds the planted bugs back, or lets them happen again: who tests one part of a kernel wants no other one hit.
pub fn hold(on: bool) {
    HELD.store(on, core::sync::atomic::Ordering::Relaxed);
}

static HELD: core::sync::atomic::AtomicBool = core::sync::atomic::AtomicBool::new(false);

/// True each 97th time; in a model each time, as all its runs must be alike.
#[cfg(any(
    feature = "plant-lose",
    feature = "plant-double",
    feature = "plant-reorder",
    feature = "plant-lost-doorbell"
))]
fn now() -> bool {
    use core::sync::atomic::{AtomicUsize, Ordering};

    static TIMES: AtomicUsize = AtomicUsize::new(0);
    if HELD.load(Ordering::Relaxed) {
        return false;
    }
    cfg!(feature = "loom") || TIMES.fetch_add(1, Ordering::Relaxed) % 97 == 96
}
