//! Callouts on this machine: each CPU's timer and callout thread.
//!
//! ```text
//!   reset ─▶ this CPU's heap ─▶ its deadline among those of `timer` ─▶ interrupt ─▶ short handlers, at once
//!                                                                               └─▶ callout thread ─▶ the others
//! ```
//! Nothing armed: no deadline, no interrupt. The thread runs before all but interrupt threads when its CPU next chooses: nobody
//! is preempted for it. How callouts come and go is decided in `lwkt-events`.

use crate::exec::Threads;
use crate::{cpu, thread};
use lwkt_events::serve_one;
use lwkt_sched::{Name, Priority};
use percpu::Crit;

pub use lwkt_events::{Elsewhere, OwnHandler, Reset, When};

/// A function that a CPU calls at a moment, with a value for it.
pub type Callout<T = ()> = lwkt_events::Callout<Threads, T>;
/// What its handler is given.
pub type Firing<T = ()> = lwkt_events::Firing<Threads, T>;

/// Starts the callout thread of each CPU, once all CPUs run.
///
/// # Errors
/// There is no memory for one.
pub(crate) fn start() -> Result<(), thread::OutOfMemory> {
    cpu::all().try_for_each(|cpu| {
        let name = Name::new("callouts");
        thread::spawn_detached(cpu.id(), name, Priority::SOFT, |cx| {
            loop {
                serve_one::<Threads>(cx);
            }
        })
        .map(drop)
    })
}

/// The time of the first has come.
pub(crate) fn fire(crit: &Crit) {
    lwkt_events::fire::<Threads>(crit);
}
