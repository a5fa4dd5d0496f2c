//! Two by two.

/// Counts by twos.
pub struct Twos;

impl super::Step for Twos {
    const STEP: u32 = 2;
}
