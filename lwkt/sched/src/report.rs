//! All threads of a CPU, for the reports of a deadlock or a panic: a list linked through the threads.
//!
//! The CPU itself walks it in a critical section; another CPU may when the owner is stopped for good.

use core::fmt;

use crate::{Name, Priority, State, ThreadRef, Why};

/// The threads whose home is one CPU.
pub(crate) struct All {
    first: Option<ThreadRef>,
}

impl All {
    pub const fn new() -> Self {
        Self { first: None }
    }

    pub fn add(&mut self, thread: ThreadRef) {
        thread.all_previous.set(None);
        thread.all_next.set(self.first);
        if let Some(first) = self.first {
            first.all_previous.set(Some(thread));
        }
        self.first = Some(thread);
    }

    pub fn remove(&mut self, thread: ThreadRef) {
        let (previous, next) = (thread.all_previous.take(), thread.all_next.take());
        match previous {
            Some(previous) => previous.all_next.set(next),
            None => self.first = next,
        }
        if let Some(next) = next {
            next.all_previous.set(previous);
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = ThreadRef> + use<> {
        core::iter::successors(self.first, |thread| thread.all_next.get())
    }
}

/// A thread at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The thread.
    pub thread: ThreadRef,
    /// Its name.
    pub name: Name,
    /// What it is doing.
    pub state: State,
    /// Its priority.
    pub priority: Priority,
    /// What it waits for, when blocked or sleeping.
    pub why: Why,
    /// Until when, when sleeping.
    pub deadline: Option<u64>,
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, why, priority, .. } = self;
        write!(f, "{name} (priority {}) ", priority.get())?;
        match self.state {
            State::Blocked | State::Sleeping => {
                write!(f, "waits for {}", why.reason.words())?;
                if why.address != 0 {
                    write!(f, " {:#x}", why.address)?;
                }
                match self.deadline {
                    Some(deadline) => write!(f, ", until {deadline}"),
                    None => Ok(()),
                }
            }
            State::Unstarted => f.write_str("is not started"),
            State::Ready => f.write_str("is ready"),
            State::Running => f.write_str("runs"),
            State::Preempted => f.write_str("is preempted by an interrupt's thread"),
            State::Descheduled => f.write_str("is descheduled"),
            State::Migrating => f.write_str("goes to another CPU"),
            State::Exited => f.write_str("has exited and waits to be joined"),
        }
    }
}

/// Each thread of a CPU, youngest first.
pub struct Threads<'a> {
    pub(crate) at: Option<ThreadRef>,
    pub(crate) current: ThreadRef,
    pub(crate) lender: ThreadRef,
    pub(crate) scheduler: core::marker::PhantomData<&'a ()>,
}

impl Iterator for Threads<'_> {
    type Item = Snapshot;

    fn next(&mut self) -> Option<Snapshot> {
        let thread = self.at?;
        self.at = thread.all_next.get();
        let state = thread.state.get();
        let waits = matches!(state, State::Blocked | State::Sleeping);
        Some(Snapshot {
            thread,
            name: thread.name.get(),
            state: match state {
                _ if thread == self.current => State::Running,
                State::Ready if thread == self.lender => State::Preempted,
                state => state,
            },
            priority: thread.priority.get(),
            why: if waits { thread.why.get() } else { Why::NOTHING },
            deadline: thread.alarm.deadline(),
        })
    }
}
