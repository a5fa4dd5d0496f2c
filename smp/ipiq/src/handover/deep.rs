//! Rings of twice the usual depth: a burst of 64 calls needs one doorbell, and each pair of CPUs twice the memory.

/// As the usual ones, but for the depth.
pub type Deep = super::Marked<64>;
