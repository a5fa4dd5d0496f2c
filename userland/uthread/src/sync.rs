//! Atomics and fences: of the machine, or of the model checker that a feature selects.

pub use percpu::sync::{AtomicPtr, AtomicU32, AtomicU64, Ordering, fence};
