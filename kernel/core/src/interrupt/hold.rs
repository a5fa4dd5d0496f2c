//! What holds interrupts' threads off a CPU beside critical sections: a spin lock that is held, a synchronisation that is
//! mastered. What was refused meanwhile is asked for again when the last of them ends.

use super::Interrupts;
use crate::cpu::{critical, here};
use core::marker::PhantomData;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

/// What holds them off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Hold {
    /// A spin lock: an interrupt's thread that wants it would wait for its own victim.
    SpinLock,
    /// The master's part in a synchronisation of CPUs, who all wait for it.
    Sync,
}

/// How many of each this CPU has. Own CPU only; handlers come in between, and leave the counts as they were.
pub(super) struct Holds {
    counts: [AtomicU32; 2],
    /// A thread was refused and may still wait for its turn.
    owed: AtomicBool,
}

impl Holds {
    pub(super) const fn new() -> Self {
        Self { counts: [const { AtomicU32::new(0) }; 2], owed: AtomicBool::new(false) }
    }

    pub(super) fn count(&self, hold: Hold) -> u32 {
        self.counts[hold as usize].load(Relaxed)
    }

    pub(super) fn set_owed(&self, owed: bool) {
        self.owed.store(owed, Relaxed);
    }
}

/// While it lives no thread preempts on the CPU that it was made on, where it stays.
#[must_use = "it ends when it is dropped"]
#[derive(Debug)]
pub struct Held {
    hold: Hold,
    here: PhantomData<*mut ()>,
}

static_assertions::assert_not_impl_any!(Held: Send, Sync);

/// Holds interrupts' threads off this CPU; the caller does not wait before it ends.
#[inline]
pub fn hold(hold: Hold) -> Held {
    arch::irq::increment(&here().interrupts.holds.counts[hold as usize]);
    Held { hold, here: PhantomData }
}

impl Drop for Held {
    #[inline]
    fn drop(&mut self) {
        let Interrupts { holds, .. } = &here().interrupts;
        arch::irq::decrement(&holds.counts[self.hold as usize]);
        if holds.owed.load(Relaxed) {
            look_again();
        }
    }
}

/// Has those that are owed their turn ask again: now, or at the end of the section that this is in.
#[cold]
fn look_again() {
    critical(|_| here().leave_mark(|_| ()));
}
