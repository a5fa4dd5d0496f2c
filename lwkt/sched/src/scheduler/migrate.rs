//! How a thread comes from one CPU to another: it goes itself, or its CPU gives it away and another acquires it.
//!
//! ```text
//!   migrate, depart (running) ─▶ switch ─▶ arrived: Left::Moved ─┐
//!   give (ready, blocked, sleeping, descheduled) ────────────────┴─ message ─▶ acquire, at the new home
//! ```
//! Context law: the old home alone decides and lets go, by [`Thread::set_home`](crate::Thread) as its last access. A thread
//! that is chased ([`Chase`](crate::Chase)) stays until it is caught.

use percpu::{CpuId, Crit};

use super::Scheduler;
use crate::preempt::Token;
use crate::{Next, Rare, Reason, RunQueue, State, ThreadRef};

/// Why a thread stays where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stays {
    /// It runs, or is preempted: only itself can go, or be asked to by [`Scheduler::evict`].
    Runs,
    /// It waits for what reaches it on this CPU alone: for a wait queue, where others find it on its CPU's list, or for an interrupt.
    Waits,
    /// Its CPU is not off its stack yet.
    Left,
    /// A message that it outran too often is about to come.
    Chased,
    /// It belongs to its CPU: an idle thread, or one that was [bound](Scheduler::bind).
    Bound,
    /// It is over, or not started.
    Over,
}

impl Stays {
    /// Whether it passes by itself: ask again.
    pub const fn passes(self) -> bool {
        match self {
            Self::Runs | Self::Waits | Self::Left | Self::Chased => true,
            Self::Bound | Self::Over => false,
        }
    }
}

/// What became of the wish to have a thread elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a thread that was given away is nobody's until it is acquired"]
pub enum Give {
    /// It belongs to the other CPU: ask [`Scheduler::acquire`] there.
    Given,
    /// It lives there already.
    There,
    /// It is of this CPU: send the same request there.
    Remote(CpuId),
    /// It stays; for now, if the reason [`passes`](Stays::passes).
    Refused(Stays),
}

impl<Q: RunQueue> Scheduler<Q> {
    /// The running thread goes to CPU `to` (edge 10); [`arrived`](Self::arrived), called by the thread that is answered,
    /// completes it. `None`: it is there already.
    ///
    /// # Errors
    /// It is bound; or chased, which passes while its CPU serves messages.
    pub fn migrate(&mut self, _: &Crit, to: CpuId) -> Result<Option<ThreadRef>, Stays> {
        let me = self.current;
        if to == self.cpu {
            return Ok(None);
        }
        self.may_leave(me)?;
        me.rare.set(me.rare.get().without(Rare::EVICT));
        me.then.set(State::Ready);
        Ok(Some(self.leave_for_good(State::Migrating, Rare::MIGRATE, to)))
    }

    /// Gives a thread that does not run to CPU `to` (edge 15).
    ///
    /// The caller does not stand on the thread's stack, as a CPU may that waits there for work ([`Next::Idle`]).
    pub fn give(&mut self, _: &Crit, thread: ThreadRef, to: CpuId) -> Give {
        if !thread.lives_on(self.cpu) {
            return Give::Remote(thread.home());
        }
        if to == self.cpu {
            return Give::There;
        }
        if self.is_first(thread) {
            return Give::Refused(if thread == self.idle { Stays::Bound } else { Stays::Runs });
        }
        if let Err(stays) = self.may_leave(thread) {
            return Give::Refused(stays);
        }
        if waits_here(thread) {
            return Give::Refused(Stays::Waits);
        }
        match thread.state.get() {
            State::Ready => self.queue.remove(thread),
            State::Sleeping => self.timers.cancel(thread),
            State::Blocked | State::Descheduled => {}
            State::Migrating => return Give::Refused(Stays::Left),
            State::Running | State::Preempted | State::Unstarted | State::Exited => {
                return Give::Refused(Stays::Over);
            }
        }
        thread.then.set(thread.state.replace(State::Migrating));
        thread.rare.set(thread.rare.get().without(Rare::EVICT));
        self.all.remove(thread);
        // The last access: from here on the thread is the other CPU's.
        thread.set_home(to);
        Give::Given
    }

    /// A thread to give to a CPU that asks for any: the last of those that wait for their turn here and may go, and that `goes`. Who is to run
    /// next is not to spare.
    pub fn spare(&self, _: &Crit, goes: impl Fn(ThreadRef) -> bool) -> Option<ThreadRef> {
        let (next, mut last) = (self.queue.best(), None);
        self.queue.visit(|thread| {
            let waits =
                thread != next && !self.is_first(thread) && thread.state.get() == State::Ready;
            if waits && self.may_leave(thread).is_ok() && goes(thread) {
                last = Some(thread);
            }
        });
        last
    }

    /// Has a thread go to CPU `to` when it next gives way or comes to run, which runs, is preempted or [waits here](Stays::Waits);
    /// another one that may go is to be given. True if it will.
    pub fn evict(&self, _: &Crit, thread: ThreadRef, to: CpuId) -> bool {
        let stays = self.is_first(thread) || waits_here(thread);
        let goes = stays && thread != self.idle && !thread.bound.get();
        if goes {
            thread.to.set(to);
            thread.rare.set(thread.rare.get() | Rare::EVICT);
        }
        goes
    }

    /// Takes in a thread that came from another CPU (edge 11): it goes on with what it did there. A wake
    /// that was here before it ends its wait. True if it sleeps: there may be an earlier deadline now.
    pub fn acquire(&mut self, _: &Crit, thread: ThreadRef) -> bool {
        debug_assert!(thread.lives_on(self.cpu) && thread.state.get() == State::Migrating);
        self.all.add(thread);
        let then = thread.then.get();
        let waits = matches!(then, State::Blocked | State::Sleeping);
        if then == State::Ready || waits && thread.token.replace(Token::NONE) != Token::NONE {
            self.ready(thread);
            return false;
        }
        thread.state.set(then);
        let sleeps = then == State::Sleeping;
        if sleeps {
            self.timers.arm_again(thread);
        }
        sleeps
    }

    /// This CPU, idle, waits on the stack of a blocked thread ([`Next::Idle`]) and is to leave it. Until the next
    /// [`pick`](Self::pick) nobody is current; so that answers a switch, to the idle thread if nobody is ready.
    pub fn step_off(&mut self, _: &Crit) {
        debug_assert!(self.is_idle());
        self.current = ThreadRef::nobody();
    }

    /// Has a thread of this CPU stay here for good: nobody can give it away, it does not go itself.
    pub fn bind(&mut self, _: &Crit, thread: ThreadRef) {
        self.owns(thread);
        thread.bound.set(true);
        thread.rare.set(thread.rare.get().without(Rare::EVICT));
    }

    /// Whether a thread of this CPU stays here for good.
    pub fn is_bound(&self, _: &Crit, thread: ThreadRef) -> bool {
        self.owns(thread);
        thread.bound.get() || thread == self.idle
    }

    /// Whether a thread of this CPU waits for what reaches it here alone: see [`Stays::Waits`].
    pub fn waits_here(&self, _: &Crit, thread: ThreadRef) -> bool {
        self.owns(thread);
        waits_here(thread)
    }

    /// Whether a thread of this CPU would go on elsewhere if it were given away: it is neither bound nor over.
    pub fn goes(&self, crit: &Crit, thread: ThreadRef) -> bool {
        !self.is_bound(crit, thread) && !matches!(thread.state.get(), State::Exited)
    }

    /// The running thread goes, if that was asked of it while it could not ([`Rare::DEPARTS`]): to another CPU (edge 10), or
    /// out of the queue (edge 16). To be asked where it has just arrived, and when it gave way to nobody. While the CPU is lent out
    /// nobody goes: the borrower does when it comes to run in its own time, its victim when it next gives way.
    #[cold]
    pub fn depart(&mut self, crit: &Crit) -> Next {
        let (me, rare) = (self.current, self.current.rare.get());
        if self.preemption.loan.is_some() {
            return Next::Same;
        }
        if rare.contains(Rare::EVICT) {
            match self.migrate(crit, me.to.get()) {
                Ok(Some(next)) => return Next::Switch(next),
                Ok(None) => me.rare.set(rare.without(Rare::EVICT)),
                // Chased: it goes the next time.
                Err(_) => {}
            }
        }
        if rare.contains(Rare::DESCHEDULE) {
            me.rare.set(me.rare.get().without(Rare::DESCHEDULE));
            return self.wait(State::Descheduled, me.why.get());
        }
        Next::Same
    }

    fn may_leave(&self, thread: ThreadRef) -> Result<(), Stays> {
        if thread == self.idle || thread.bound.get() {
            Err(Stays::Bound)
        } else if self.is_left(thread) {
            Err(Stays::Left)
        } else if thread.is_chased() {
            Err(Stays::Chased)
        } else {
            Ok(())
        }
    }
}

/// Whether it waits for what reaches it on this CPU alone.
fn waits_here(thread: ThreadRef) -> bool {
    let waits = matches!(thread.state.get(), State::Blocked | State::Sleeping);
    waits && matches!(thread.why.get().reason, Reason::Queue | Reason::Interrupt)
}
