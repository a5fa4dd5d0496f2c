//! An interrupt only on the step from empty to pending: who finds a mark, or a target that polls, knows that it will look.

use percpu::sync::{AtomicU64, Ordering};

use super::{Knock, Knocking, after_push};

/// The default.
#[derive(Debug)]
pub struct Elide;

impl Knocking for Elide {
    /// A `fetch_or` would do; this knows from its first look which answer it will give, and need not ask again.
    #[inline(always)]
    fn knock(word: &AtomicU64, mark: u64) -> Knock {
        let exchange = |before: u64| {
            // Pairs with: `Doorbell::take`, acquire.
            word.compare_exchange(before, before | mark, after_push(), Ordering::Relaxed)
        };
        let mut before = word.load(Ordering::Relaxed);
        loop {
            if before == 0 {
                match exchange(0) {
                    Ok(_) => return Knock::Ring,
                    Err(now) => before = now,
                }
            } else {
                match exchange(before) {
                    Ok(_) => return Knock::Avoided,
                    Err(now) => before = now,
                }
            }
        }
    }
}
