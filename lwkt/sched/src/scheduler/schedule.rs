//! Out of the queue and back, as others want it: not for anything that the thread waits for.
//!
//! A thread that is descheduled keeps its wakes (the token) and its messages; it runs no further until it is scheduled. One
//! that runs, or is preempted, goes on to where it next gives way; one that waits is stopped when it has been woken and comes to run.

use percpu::{CpuId, Crit};

use super::Scheduler;
use crate::{Rare, RunQueue, State, ThreadRef};

/// What became of a request to take a thread out of its queue or put it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a thread of another CPU is not reached until that CPU is asked"]
pub enum Change {
    /// It is so now.
    Done,
    /// It will be so when the thread next gives way or comes to run.
    Later,
    /// The thread is of this CPU: send the same request there.
    Remote(CpuId),
    /// Nothing: the thread is over or not started, or it is an idle thread.
    Never,
}

impl<Q: RunQueue> Scheduler<Q> {
    /// Takes a thread out of its queue until it is [scheduled](Self::schedule) (edge 16).
    pub fn deschedule(&mut self, _: &Crit, thread: ThreadRef) -> Change {
        if !thread.lives_on(self.cpu) {
            return Change::Remote(thread.home());
        }
        if thread == self.idle {
            return Change::Never;
        }
        match thread.state.get() {
            State::Ready if !self.is_first(thread) => {
                self.queue.remove(thread);
                thread.state.set(State::Descheduled);
                Change::Done
            }
            State::Migrating if thread.then.get() == State::Ready && !self.is_left(thread) => {
                thread.then.set(State::Descheduled);
                Change::Done
            }
            State::Descheduled => Change::Done,
            State::Unstarted | State::Exited => Change::Never,
            _ => {
                thread.rare.set(thread.rare.get() | Rare::DESCHEDULE);
                Change::Later
            }
        }
    }

    /// Puts a descheduled thread back (edge 17); one that is not yet goes on.
    pub fn schedule(&mut self, _: &Crit, thread: ThreadRef) -> Change {
        if !thread.lives_on(self.cpu) {
            return Change::Remote(thread.home());
        }
        if thread == self.idle {
            return Change::Never;
        }
        let state = thread.state.get();
        if matches!(state, State::Unstarted | State::Exited) {
            return Change::Never;
        }
        // It may be marked and out of the queue: marked while it waited, taken out when it was ready again.
        thread.rare.set(thread.rare.get().without(Rare::DESCHEDULE));
        match state {
            State::Descheduled => self.ready(thread),
            State::Migrating if thread.then.get() == State::Descheduled => {
                thread.then.set(State::Ready);
            }
            _ => {}
        }
        Change::Done
    }

    pub(super) fn is_left(&self, thread: ThreadRef) -> bool {
        self.leaving.is_some_and(|(leaving, _)| leaving == thread)
    }
}
