//! The thread library's core: many user threads on few CPU processes, as pure decisions.
//!
//! A [`Carrier`] is a CPU process with its run queues; a [`Tcb`] a thread; [`Semaphore`] and [`Condition`] what threads wait
//! for; an [`Inbox`] what other carriers may touch. A decision changes lists and returns whom to run; the assembly
//! above (`uarch`) switches stacks, the kernel below is the narrow trait [`Kernel`].
//!
//! Context law: whoever holds a `&Carrier` is its CPU process, inside the layer, where no upcall interrupts.
#![no_std]

mod carrier;
mod condition;
mod fifo;
mod home;
mod kernel;
mod mail;
mod process;
mod semaphore;
mod sleep;
mod sync;
mod thread;
mod threads;
mod timer;

pub use carrier::{Carrier, Counters, FIRST_PRIORITY, LOOK, TICK};
pub use condition::Condition;
pub use fifo::{Fifo, Removed, Was};
pub use kernel::Kernel;
pub use mail::{Inbox, Mail};
pub use process::{CLASSES, Class, GUARD, MAX_CARRIERS, Process};
pub use semaphore::{Given, Semaphore};
pub use thread::{DEFAULT_PRIORITY, Landing, PRIORITIES, Preempted, Start, TCB_LIMIT, Tcb};
pub use threads::{Join, Options, Run};
pub use timer::Timers;
