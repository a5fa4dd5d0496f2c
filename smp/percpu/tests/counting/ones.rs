//! One by one.

/// Counts by ones.
pub struct Ones;
