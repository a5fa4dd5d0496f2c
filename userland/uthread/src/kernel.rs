//! The cut between the thread library and the kernel below it.

use crate::Carrier;

/// What the library needs of a kernel. One implementation sends messages, others are models for the tests.
pub trait Kernel: Copy {
    /// Nanoseconds since boot.
    fn now(self, carrier: &Carrier) -> u64;
    /// Sleeps until the count of completions differs from `seen`, a wake token is set, or `deadline` (0: none) has come.
    fn wait(self, carrier: &Carrier, seen: u64, deadline: u64);
    /// Sets the wake token of CPU process `index`, and wakes it if it sleeps.
    fn wake(self, index: u32);
}
