//! An interrupt for every send, whatever the target does: what other kernels do, to compare with.

use percpu::sync::AtomicU64;

use super::{Knock, Knocking, after_push};

/// Never avoids an interrupt.
#[derive(Debug)]
pub struct Eager;

impl Knocking for Eager {
    #[inline(always)]
    fn knock(word: &AtomicU64, mark: u64) -> Knock {
        // Pairs with: `Doorbell::take`, acquire.
        word.fetch_or(mark, after_push());
        Knock::Ring
    }
}
