//! What a scheduler decides, as values: the caller carries them out.

use percpu::CpuId;

#[cfg(doc)]
use crate::Scheduler;
use crate::{ThreadRef, Unstarted};

/// What the CPU does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the caller switches to the thread that was chosen"]
pub enum Next {
    /// The running thread goes on.
    Same,
    /// This thread runs. It is the current one already: save the old context, load this one, then ask
    /// [`Scheduler::arrived`].
    Switch(ThreadRef),
    /// Nobody is ready, and the idle thread is the current one. Switch to it; or, to save two switches, wait here on the
    /// blocked thread's stack and ask [`Scheduler::pick`] until it says `Switch`: if to the thread of this stack, that
    /// is a return.
    Idle,
}

/// What became of a wake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a thread of another CPU is not woken until that CPU is asked"]
pub enum Wake {
    /// The thread was waiting and is ready now.
    Local,
    /// The thread is of this CPU: send the same request there.
    Remote(CpuId),
    /// The thread was not waiting. If it runs or will, its next wait ends at once.
    Already,
}

/// What a join found.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the caller waits, or sends the request on, or takes the memory"]
pub enum Join {
    /// The thread is of this CPU: send the same request there.
    Remote(CpuId),
    /// The joiner is noted, and will be told once by [`Scheduler::joined`]: block until it was.
    Waiting,
    /// The thread is over and its memory is free.
    Over(Unstarted),
}

/// What became of the thread that this CPU has just left for good.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a joiner must be told, a migrating thread sent on"]
pub enum Left {
    /// It is over and its memory is free. If there is a joiner: call [`Scheduler::joined`], here or at its home.
    Over(Unstarted, Option<ThreadRef>),
    /// It is over, but its memory waits for a joiner.
    Waits(ThreadRef),
    /// It is off its stack and belongs to that CPU: ask [`Scheduler::acquire`] there.
    Moved(ThreadRef, CpuId),
}
