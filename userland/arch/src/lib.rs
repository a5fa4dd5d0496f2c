//! User-side assembly, the only one in ring 3: switches, the layer's entry points, the landing of upcalls, calls into
//! the layer. Everything but the message stubs runs on a Linux host too, where [`host`] sets the GS base.
//!
//! Two kinds of entry points. *Switching* ones ([`entry`]) may come back after other threads ran, and keep only `rsp`,
//! `rbp`, `rbx`; the switch jumps instead of returning, because the return would be mispredicted. *Answering* ones keep what a
//! C function keeps. What is live lies on the thread's stack:
//!
//! ```text
//! saved sp ─▶ rbp │ rbx │ address to go on at │ ...          a thread that called
//! saved sp ─▶ argument │ function │ trampoline               a new thread: the start of its block
//! saved sp ─▶ scratch │ scratch │ resume │ 20 registers      a preempted thread: in its block
//! ```
//! So one sequence of pops switches to all three, and to the carrier's own loop, with no test.
//!
//! Context law: entry points run with the GS base at the carrier area of their CPU process, never interrupted by an upcall.
#![no_std]

#[cfg(test)]
extern crate std;

pub mod call;
pub mod entry;
pub mod host;
pub mod hostile;
pub mod message;
pub mod switch;
#[cfg(target_os = "none")]
mod traced;
pub mod upcall;

use core::arch::asm;
use core::mem::offset_of;
use uthread::{Carrier, Kernel, Landing, Tcb};

/// A kernel that needs no state, so that entry points can name it.
pub trait Static: Kernel + Default {}
impl<K: Kernel + Default> Static for K {}

/// The carrier of this CPU process.
#[inline(always)]
pub(crate) fn carrier() -> &'static Carrier {
    let carrier: *const Carrier;
    // SAFETY: the context law: the GS base is a carrier area, whose first word is its address. A thread does not change carriers.
    unsafe {
        asm!("mov {}, gs:[0]", out(reg) carrier, options(pure, nomem, nostack, preserves_flags))
    };
    // SAFETY: a carrier lives as long as its process.
    unsafe { &*carrier }
}

/// The thread that runs on this CPU process.
#[inline(always)]
pub(crate) fn current() -> &'static Tcb {
    let current: *const Tcb;
    // SAFETY: the context law: the GS base is a carrier area. Not `pure`: it changes with each switch.
    unsafe {
        asm!("mov {}, gs:[{}]", out(reg) current, const offset_of!(Carrier, current), options(readonly, nostack, preserves_flags))
    };
    // SAFETY: blocks are never unmapped.
    unsafe { &*current }
}

/// The code addresses that threads' blocks hold.
#[must_use]
pub fn landing<K: Static>() -> Landing {
    Landing {
        trampoline: entry::first_run::<K> as *const () as usize,
        resume: upcall::resume as *const () as usize,
    }
}

/// The carrier's own loop, for [`Carrier::make`].
#[must_use]
pub fn loop_entry<K: Static>() -> usize {
    upcall::own_loop::<K> as *const () as usize
}

#[cfg(test)]
mod tests;
