//! Fair shares among equals: whoever has run least is next. DragonFly had it in 2010 and dropped it in 2011: to compare.
//!
//! Time is charged exactly, by a look at the clock at each switch; so short turns cost little and long ones much, and no
//! tick need catch a thread at work. The price is in every switch: the clock, the sum, and a walk through the equals.

use super::RunQueue;
use crate::{ThreadRef, sorted::Sorted};

/// A list in order of priority; among equals in order of the time that they have had (their `merit`).
///
/// A thread that comes back from a wait has had, for the comparison, no less than the first who waits for the CPU: time
/// that was not wanted is not owed.
pub struct Fair {
    threads: Sorted,
    running: ThreadRef,
    clock: fn() -> u64,
    since: u64,
}

impl Fair {
    /// Charges the running thread for its turn so far.
    fn charge(&mut self) {
        let now = (self.clock)();
        let had = &self.running.merit;
        had.set(had.get() + now.saturating_sub(core::mem::replace(&mut self.since, now)));
    }

    /// The first of the same priority, but for the running thread.
    fn first_waiting(&self, like: ThreadRef) -> Option<ThreadRef> {
        let priority = like.priority.get();
        let mut rest = self.threads.iter().skip_while(|one| one.priority.get() > priority);
        rest.find(|one| *one != self.running).filter(|one| one.priority.get() == priority)
    }

    /// Puts `thread` in its place, behind `behind` in any case.
    fn insert(&mut self, thread: ThreadRef, behind: ThreadRef) {
        let (priority, had) = (thread.priority.get(), thread.merit.get());
        self.threads.insert(thread, |one| {
            let its = one.priority.get();
            its > priority || its == priority && (one == behind || one.merit.get() <= had)
        });
    }
}

impl RunQueue for Fair {
    fn new(idle: ThreadRef, clock: fn() -> u64) -> Self {
        Self { threads: Sorted::of(idle), running: idle, clock, since: clock() }
    }

    fn push(&mut self, thread: ThreadRef) {
        let equal = self.first_waiting(thread).unwrap_or(self.running);
        if equal.priority.get() == thread.priority.get() {
            thread.merit.set(thread.merit.get().max(equal.merit.get()));
        }
        self.insert(thread, self.running);
    }

    fn push_first(&mut self, thread: ThreadRef) {
        let priority = thread.priority.get();
        self.threads.insert(thread, |one| one.priority.get() > priority);
    }

    fn rotate(&mut self, running: ThreadRef) {
        self.charge();
        // Giving way means that somebody else runs, also when all the others have had more.
        if let Some(first) = self.first_waiting(running) {
            self.threads.remove(running);
            self.insert(running, first);
        }
    }

    fn pop(&mut self, running: ThreadRef) {
        self.threads.remove(running);
    }

    fn remove(&mut self, thread: ThreadRef) {
        self.threads.remove(thread);
    }

    fn best(&self) -> ThreadRef {
        self.threads.head()
    }

    fn contended(&self, running: ThreadRef) -> bool {
        self.threads.contended(running)
    }

    /// Only when an equal has had less: else whoever gets the CPU would have had more.
    fn tick(&mut self, running: ThreadRef) -> bool {
        self.charge();
        let waits = self.first_waiting(running);
        self.best() != running || waits.is_some_and(|one| one.merit.get() < running.merit.get())
    }

    fn switched(&mut self, _: ThreadRef, to: ThreadRef) {
        self.charge();
        self.running = to;
    }

    fn visit(&self, visit: impl FnMut(ThreadRef)) {
        self.threads.iter().for_each(visit);
    }

    fn sound(&self) -> bool {
        // The running thread is first among its equals, whatever it has had.
        self.threads.iter().is_sorted_by(|one, two| {
            let (first, second) = (one.priority.get(), two.priority.get());
            let in_order = *one == self.running || one.merit.get() <= two.merit.get();
            first > second || first == second && in_order
        })
    }
}
