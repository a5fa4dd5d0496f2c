//! Two by two.

/// Counts by twos.
pub struct Twos;
