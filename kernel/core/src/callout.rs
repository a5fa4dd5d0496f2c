//! Callouts on this machine: each CPU's timer and callout thread.
//!
//! ```text
//!   reset ─▶ this CPU's heap ─▶ its deadline among those of `timer` ─▶ interrupt ─▶ short handlers, at once
//!                                                                               └─▶ callout thread ─▶ the others
//! ```
//! Nothing armed: no deadline, no interrupt. The thread runs before all but interrupt threads when its CPU next chooses: nobody
//! is preempted for it. How callouts come and go is decided in `lwkt-events`.

use crate::cpu::{self, here};
use crate::exec::Threads;
use crate::{ipi, thread};
use lwkt_events::serve_one;
use lwkt_sched::{Name, Priority};
use percpu::Crit;

pub use lwkt_events::{Elsewhere, OwnHandler, Reset, When};

/// A function that a CPU calls at a moment, with a value for it.
pub type Callout<T = ()> = lwkt_events::Callout<Threads, T>;
/// What its handler is given.
pub type Firing<T = ()> = lwkt_events::Firing<Threads, T>;

/// Makes the callout thread of each CPU, once all CPUs run. It begins when there is work for it.
///
/// # Errors
/// There is no memory for one.
pub(crate) fn prepare() -> Result<(), thread::OutOfMemory> {
    cpu::all().try_for_each(|cpu| {
        ipi::call(cpu.id(), |crit| {
            let made = thread::prepare(crit, Name::new("callouts"), Priority::SOFT, |cx| {
                loop {
                    serve_one::<Threads>(cx);
                }
            })?;
            here().callout_thread.with(crit, |thread| *thread = Some(made));
            Ok(())
        })
    })
}

/// Starts the callout thread of this CPU, if that is still to be done.
#[cold]
pub(crate) fn start(crit: &Crit) {
    if let Some(thread) = here().callout_thread.with(crit, Option::take) {
        here().scheduler.with(crit, |s| s.spawn(crit, thread));
    }
}

/// The time of the first has come.
pub(crate) fn fire(crit: &Crit) {
    lwkt_events::fire::<Threads>(crit);
}
