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

    /// Whether equals are in order of merit, but for the first of each priority. So they are as long as nothing is put before another
    /// that was first: no interrupt's thread, no change of priority.
    #[cfg(test)]
    pub(crate) fn is_by_merit(&self) -> bool {
        let mut first: Option<ThreadRef> = None;
        self.threads.iter().is_sorted_by(|one, two| {
            let equals = one.priority.get() == two.priority.get();
            let is_first = first.is_none_or(|first| first.priority.get() != one.priority.get());
            if is_first {
                first = Some(*one);
            }
            let in_order = is_first || one.merit.get() <= two.merit.get();
            one.priority.get() > two.priority.get() || equals && in_order
        })
    }

    /// Threads of the same priority, in order.
    fn equals(&self, like: ThreadRef) -> impl Iterator<Item = ThreadRef> + use<> {
        let priority = like.priority.get();
        let rest = self.threads.iter().skip_while(move |one| one.priority.get() > priority);
        rest.take_while(move |one| one.priority.get() == priority)
    }

    /// Who of the same priority, but for the running thread, has had least. The first one may have been kept from running
    /// by a better one, and have had more.
    fn least_waiting(&self, like: ThreadRef) -> Option<ThreadRef> {
        let waits = self.equals(like).filter(|one| *one != self.running);
        waits.take(2).min_by_key(|one| one.merit.get())
    }

    /// Puts `thread` in its place, but never first: who is first among its equals runs, or ran until a better one came.
    fn insert(&mut self, thread: ThreadRef) {
        let (priority, had) = (thread.priority.get(), thread.merit.get());
        let first = self.equals(thread).next();
        self.threads.insert(thread, |one| {
            let its = one.priority.get();
            its > priority || its == priority && (Some(one) == first || one.merit.get() <= had)
        });
    }
}

impl RunQueue for Fair {
    fn new(idle: ThreadRef, clock: fn() -> u64) -> Self {
        Self { threads: Sorted::of(idle), running: idle, clock, since: clock() }
    }

    fn push(&mut self, thread: ThreadRef) {
        let equal = self.least_waiting(thread).or_else(|| self.equals(thread).next());
        if let Some(equal) = equal {
            thread.merit.set(thread.merit.get().max(equal.merit.get()));
        }
        self.insert(thread);
    }

    fn push_first(&mut self, thread: ThreadRef) {
        let priority = thread.priority.get();
        self.threads.insert(thread, |one| one.priority.get() > priority);
    }

    fn rotate(&mut self, running: ThreadRef) {
        self.charge();
        // Somebody else becomes first and runs, also when all the others have had more: that is to give way.
        if running.next.get() != running {
            self.threads.remove(running);
            self.insert(running);
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
        let waits = self.least_waiting(running);
        self.best() != running || waits.is_some_and(|one| one.merit.get() < running.merit.get())
    }

    fn switched(&mut self, _: ThreadRef, to: ThreadRef) {
        self.charge();
        self.running = to;
    }

    fn visit(&self, visit: impl FnMut(ThreadRef)) {
        self.threads.iter().for_each(visit);
    }

    /// By priority alone: who was first, and has had more, keeps its place when an interrupt's thread or a change of priority puts
    /// another before it, until it runs. Where there is neither, `is_by_merit` holds, too.
    fn sound(&self) -> bool {
        self.threads.is_by_priority()
    }
}
