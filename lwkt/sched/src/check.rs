//! What must hold of a scheduler at every moment outside its calls; asked by tests and by the stress kernel.

use percpu::Crit;

use crate::preempt::Token;
use crate::{Rare, RunQueue, Scheduler, State, ThreadRef};

/// The law that does not hold, and the thread concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The queue's own bookkeeping.
    Queue,
    /// A thread is of another CPU.
    Home(ThreadRef),
    /// A thread is in the queue although it is not ready, or the reverse.
    Ready(ThreadRef),
    /// The queue holds a thread twice, or one that is in no list of this CPU.
    Count {
        /// Threads in the queue.
        queued: usize,
        /// Ready threads of this CPU.
        ready: usize,
    },
    /// The running thread is not the first of its priority.
    First(ThreadRef),
    /// The victim of a borrowed switch is not in the queue, or not first of its equals, or the loan and its marks do not agree.
    Victim(ThreadRef),
    /// The heap of deadlines, or a sleeping thread that is not in it.
    Timers,
    /// A thread that is over or on its way stays, and nobody will see to it.
    Left(ThreadRef),
}

impl<Q: RunQueue> Scheduler<Q> {
    /// Checks the laws.
    ///
    /// # Errors
    /// The first that does not hold.
    pub fn check(&self, _: &Crit) -> Result<(), Broken> {
        let (queue, timers, all, leaving) = self.parts();
        if !queue.sound() {
            return Err(Broken::Queue);
        }
        let (mut ready, mut sleeping) = (0, 0);
        for thread in all.iter() {
            if !thread.lives_on(self.cpu()) {
                return Err(Broken::Home(thread));
            }
            match thread.state.get() {
                State::Ready => ready += 1,
                State::Sleeping => sleeping += 1,
                State::Blocked | State::Descheduled => {}
                State::Exited if leaving == Some(thread) || thread.joiner.get().is_none() => {}
                State::Migrating if leaving == Some(thread) => {}
                _ => return Err(Broken::Left(thread)),
            }
        }
        let mut queued = 0;
        let mut broken = None;
        let mut first_of_mine = None;
        let victim = Some(self.lender()).filter(|lender| *lender != self.current());
        let mut first_of_victims = None;
        queue.visit(|thread| {
            queued += 1;
            if thread.state.get() != State::Ready {
                broken = Some(Broken::Ready(thread));
            } else if !thread.lives_on(self.cpu()) {
                broken = Some(Broken::Home(thread));
            }
            if thread.priority.get() == self.current().priority.get() {
                first_of_mine.get_or_insert(thread);
            }
            let equal = victim.is_some_and(|victim| victim.priority.get() == thread.priority.get());
            if equal && thread != self.current() {
                first_of_victims.get_or_insert(thread);
            }
        });
        if let Some(broken) = broken {
            return Err(broken);
        }
        // Each ready thread once: as many as there are, and `all` names none twice; a queue with one twice in place of
        // another would need a link that leads back, and would not end.
        if queued != ready {
            return Err(Broken::Count { queued, ready });
        }
        let nobody = self.current() == ThreadRef::nobody();
        if !nobody && first_of_mine != Some(self.current()) {
            return Err(Broken::First(self.current()));
        }
        self.check_loan(victim, first_of_victims)?;
        if timers.check() != Some(sleeping) {
            return Err(Broken::Timers);
        }
        Ok(())
    }

    /// A victim that was not taken out of the queue has kept its place; the marks of a loan are there while it lasts.
    fn check_loan(
        &self,
        victim: Option<ThreadRef>,
        first: Option<ThreadRef>,
    ) -> Result<(), Broken> {
        let lent = victim.is_some();
        let marked = self.rare.contains(Rare::LOAN);
        let borrows = |thread: ThreadRef| thread.token.get().contains(Token::BORROWS);
        if marked != lent || borrows(self.current()) != lent {
            return Err(Broken::Victim(self.current()));
        }
        let Some(victim) = victim else { return Ok(()) };
        let kept = victim.state.get() != State::Ready || first == Some(victim);
        if kept && !borrows(victim) && victim.lives_on(self.cpu()) && victim != self.idle() {
            Ok(())
        } else {
            Err(Broken::Victim(victim))
        }
    }
}
