//! Whether a kernel is built with assertions for debugging. It then knows who took a lock where, and says so when it is misused.

crate::variants! {
    /// The variants by name; the first is the usual one.
    DAMSELFLY_CHECKS: off, on,
}
