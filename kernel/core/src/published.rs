//! Values that any CPU finds and that may be taken away, on this machine; how they work is told in `lwkt-events`, and of ports in
//! `lwkt-port`.
//!
//! ```text
//!   static TABLE: Published<Table> = Published::new();
//!   TABLE.publish(Box::leak(table));                       // any CPU
//!   TABLE.read(cx, |table| table.map(Table::first));       // any CPU: no lock, and no locked instruction but in its first look since one was taken
//!   let table = TABLE.take().unwrap().reclaim(cx);         // when nobody can be at it any more
//! ```

use crate::exec::Threads;

/// A value that any CPU finds, and that may be taken away.
pub type Published<T> = lwkt_events::Published<Threads, T>;
