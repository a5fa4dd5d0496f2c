//! Serializers on this machine; how they work is told in `lwkt-events`.
//!
//! ```text
//!   static DISK: Serializer<Disk> = Serializer::new(Disk::NEW);
//!   let mut disk = DISK.enter(cx);                // any thread; nobody else is in, also while this one waits
//!   DISK.handle(cx, |cx, disk| disk.serve(cx));   // its interrupt thread: nothing, while it is kept out
//! ```

use crate::exec::Threads;

/// A value that one thread at a time uses, over its waits too.
pub type Serializer<T> = lwkt_events::Serializer<Threads, T>;
