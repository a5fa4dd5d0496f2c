//! One by one.

/// Counts by ones.
pub struct Ones;

impl super::Step for Ones {
    const STEP: u32 = 1;
}
