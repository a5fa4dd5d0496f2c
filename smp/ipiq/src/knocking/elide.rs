//! An interrupt only on the step from empty to pending: who finds a mark, or a target that polls, knows that it will look.

use percpu::sync::{AtomicU64, Ordering};

use super::{Knock, Knocking, after_push};

/// The default.
#[derive(Debug)]
pub struct Elide;

impl Knocking for Elide {
    /// What a `fetch_or` does; but its answer is known before the mark is in, mostly, and is not asked for again.
    #[inline(always)]
    fn knock(word: &AtomicU64, mark: u64) -> Knock {
        let exchange = |before: u64| {
            // Pairs with: `Doorbell::take`, acquire.
            word.compare_exchange(before, before | mark, after_push(), Ordering::Relaxed).is_ok()
        };
        let before = word.load(Ordering::Relaxed);
        if before == 0 {
            if exchange(0) {
                return Knock::Ring;
            }
        } else if exchange(before) {
            return Knock::Avoided;
        }
        // Somebody else was quicker. Pairs with: `Doorbell::take`, acquire.
        match word.fetch_or(mark, after_push()) {
            0 => Knock::Ring,
            _ => Knock::Avoided,
        }
    }
}
