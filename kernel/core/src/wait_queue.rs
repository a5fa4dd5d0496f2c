//! Wait queues on this machine; how they work is told in `lwkt-events`.
//!
//! ```text
//!   static READY: WaitQueue = WaitQueue::new();
//!   READY.wait_until(cx, |_| flag.load(..));                     // any thread, any CPU
//!   flag.store(..); critical(|crit| READY.wake_all(crit));       // any CPU, interrupts' short handlers included
//! ```

use crate::exec::Threads;

pub use lwkt_events::{TimedOut, Woken};

/// A queue of threads that wait for one thing.
pub type WaitQueue = lwkt_events::WaitQueue<Threads>;
