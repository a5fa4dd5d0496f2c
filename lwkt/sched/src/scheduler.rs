//! The scheduler of one CPU: who runs, who waits, who is next.
//!
//! It decides and the caller acts: [`Next`] says to which thread to switch, [`Wake::Remote`] where to send the request,
//! [`Left`] what became of the thread that was left. Context law: the owning CPU alone, in a critical section.

mod migrate;
mod schedule;

pub use migrate::{Give, Stays};
pub use schedule::Change;

use percpu::{CpuId, Crit};

use crate::preempt::{Preemption, Token};
use crate::report::All;
use crate::timers::Timers;
use crate::{
    Join, Left, Life, Name, Next, Priority, Rare, RunQueue, State, ThreadRef, Threads, Unstarted,
    Wake, Why, queue,
};

/// The scheduler of one CPU.
#[repr(C)]
pub struct Scheduler<Q: RunQueue = queue::Chosen> {
    pub(crate) current: ThreadRef,
    pub(crate) rare: Rare,
    cpu: CpuId,
    /// Switches from a thread that has to wait, and all others: a switch adds to one of them.
    pub(crate) waits: u64,
    pub(crate) turns: u64,
    pub(crate) queue: Q,
    idle: ThreadRef,
    leaving: Option<(ThreadRef, CpuId)>,
    pub(crate) timers: Timers<ThreadRef>,
    all: All,
    pub(crate) preemption: Preemption,
}

impl<Q: RunQueue> Scheduler<Q> {
    pub(crate) const CURRENT_AT: usize = core::mem::offset_of!(Self, current);

    /// The scheduler of `cpu`, which runs `idle` at this moment: the flow of control that booted the CPU becomes its
    /// idle thread. `clock` tells the policy how time passes.
    ///
    /// # Safety
    /// There is no other scheduler of `cpu`; it is used by that CPU alone (or while that CPU stands still).
    #[allow(unsafe_code)]
    pub unsafe fn new(cpu: CpuId, idle: Unstarted, clock: fn() -> u64) -> Self {
        let idle = idle.started();
        idle.set_home(cpu);
        idle.name.set(Name::new("idle"));
        idle.priority.set(Priority::IDLE);
        idle.state.set(State::Ready);
        let mut all = All::new();
        all.add(idle);
        let queue = Q::new(idle, clock);
        let (rare, timers, preemption) = (Rare::NONE, Timers::new(), Preemption::new());
        let (waits, turns, leaving) = (0, 0, None);
        Self {
            current: idle,
            rare,
            cpu,
            waits,
            turns,
            queue,
            idle,
            leaving,
            timers,
            all,
            preemption,
        }
    }

    /// Starts a thread on this CPU (edge 1).
    pub fn spawn(&mut self, _: &Crit, thread: Unstarted) -> ThreadRef {
        let thread = thread.started();
        thread.set_home(self.cpu);
        self.all.add(thread);
        self.ready(thread);
        thread
    }

    /// Gives way to equals and betters (edge 3, 2). `Same`: nobody is there; now the thread may itself be wanted gone, so ask
    /// [`depart`](Self::depart).
    #[inline]
    pub fn yield_now(&mut self, crit: &Crit) -> Next {
        self.queue.rotate(self.current);
        self.pick(crit)
    }

    /// Gives way to betters only: what the idle thread asks, and whoever has woken somebody (edge 2).
    #[inline]
    pub fn pick(&mut self, _: &Crit) -> Next {
        let next = self.queue.best();
        if next == self.current {
            return Next::Same;
        }
        self.turns += 1;
        self.switch(next);
        Next::Switch(next)
    }

    /// Waits until woken (edge 4). `Same`: a wake came before, since the last wait; look again at what you wait for.
    ///
    /// A wake is never lost between looking and waiting: in one critical section nothing comes between; over several,
    /// the wake sets the thread's token, which this takes. A token may be left over, so a wait is always a loop.
    #[inline]
    pub fn block(&mut self, _: &Crit, why: Why) -> Next {
        if self.current.token.get() != Token::NONE {
            return self.wait_rarely(State::Blocked, why, None).map_or(Next::Same, Next::Switch);
        }
        self.wait(State::Blocked, why)
    }

    /// Waits until woken or until `deadline` (edge 5), as [`block`](Self::block) does otherwise. Afterwards
    /// [`timed_out`](Self::timed_out) tells which.
    pub fn sleep(&mut self, _: &Crit, why: Why, deadline: u64) -> Next {
        self.current.timed_out.set(false);
        if self.current.token.get() != Token::NONE {
            return self
                .wait_rarely(State::Sleeping, why, Some(deadline))
                .map_or(Next::Same, Next::Switch);
        }
        self.timers.arm(self.current, deadline);
        self.wait(State::Sleeping, why)
    }

    /// Whether the last [`sleep`](Self::sleep) of the running thread ended by its deadline.
    pub fn timed_out(&self, _: &Crit) -> bool {
        self.current.timed_out.get()
    }

    /// Wakes `thread` (edge 6), on whichever CPU it is.
    #[inline]
    pub fn wake(&mut self, _: &Crit, thread: ThreadRef) -> Wake {
        if !thread.lives_on(self.cpu) {
            return Wake::Remote(thread.home());
        }
        if thread.state.get() == State::Blocked {
            self.ready(thread);
            return Wake::Local;
        }
        if self.wake_unblocked(thread) { Wake::Local } else { Wake::Already }
    }

    /// Whether it was asleep.
    #[cold]
    fn wake_unblocked(&mut self, thread: ThreadRef) -> bool {
        match thread.state.get() {
            State::Sleeping => {
                self.timers.cancel(thread);
                self.ready(thread);
                return true;
            }
            State::Unstarted | State::Exited => {}
            _ => thread.token.set(thread.token.get().with(Token::WOKEN)),
        }
        false
    }

    /// The earliest deadline of this CPU.
    pub fn next_deadline(&self, _: &Crit) -> Option<u64> {
        self.timers.first_deadline()
    }

    /// Wakes the threads whose deadline is not after `now` (edge 7), one at each step of the iterator.
    pub fn expire<'a>(&'a mut self, _: &'a Crit, now: u64) -> Expired<'a, Q> {
        Expired { scheduler: self, now }
    }

    /// The running thread is over (edge 8). The thread that is answered calls [`arrived`](Self::arrived) first of all:
    /// it reaps, from its own stack. Nobody idles on the stack of a thread that is over: this may be the idle thread.
    pub fn exit(&mut self, _: &Crit) -> ThreadRef {
        self.leave_for_good(State::Exited, Rare::REAP, self.cpu)
    }

    /// To be asked after every switch, on the stack of the thread that has arrived, in the critical section that the
    /// switch was made in: the one test of all that is rare. `None`: nothing is.
    #[inline]
    pub fn arrived(&mut self, crit: &Crit) -> Option<(Rare, Option<Left>)> {
        if self.rare.is_empty() { None } else { Some(self.arrived_rarely(crit)) }
    }

    #[cold]
    fn arrived_rarely(&mut self, _: &Crit) -> (Rare, Option<Left>) {
        if self.rare.contains(Rare::LOAN) {
            return (self.arrived_on_loan(), None);
        }
        let rare = core::mem::take(&mut self.rare);
        if rare.contains(Rare::KEPT) {
            self.take_back();
        }
        let left = self.leaving.take().map(|(thread, to)| {
            debug_assert!(thread != self.current);
            if rare.contains(Rare::MIGRATE) {
                self.all.remove(thread);
                if rare.held() > 0 {
                    thread.rare.set(thread.rare.get() | Rare::TOKENS);
                }
                // The last access of the old home: from here on the thread is the other CPU's.
                thread.set_home(to);
                return Left::Moved(thread, to);
            }
            // Edge 9.
            let joiner = thread.joiner.take();
            if joiner.is_none() && thread.life.get() == Life::Joinable {
                return Left::Waits(thread);
            }
            self.all.remove(thread);
            Left::Over(Unstarted::of(thread), joiner)
        });
        (rare.without(Rare::LEFT), left)
    }

    /// `joiner` wants to know when `thread` is over; asked at the home of `thread` (edge 9 when it is). One joiner per
    /// joinable thread, once: the kernel's handle is a value that joining takes.
    pub fn join(&mut self, _: &Crit, thread: ThreadRef, joiner: ThreadRef) -> Join {
        if !thread.lives_on(self.cpu) {
            return Join::Remote(thread.home());
        }
        debug_assert!(thread.life.get() == Life::Joinable && thread.joiner.get().is_none());
        let on_its_stack = self.leaving.is_some_and(|(leaving, _)| leaving == thread);
        if thread.state.get() == State::Exited && !on_its_stack {
            self.all.remove(thread);
            return Join::Over(Unstarted::of(thread));
        }
        thread.joiner.set(Some(joiner));
        Join::Waiting
    }

    /// Tells `joiner`, at its home, that the thread it joins is over, and wakes it.
    pub fn joined(&mut self, crit: &Crit, joiner: ThreadRef) -> Wake {
        if !joiner.lives_on(self.cpu) {
            return Wake::Remote(joiner.home());
        }
        joiner.joined.set(true);
        self.wake(crit, joiner)
    }

    /// Whether the running thread was told so since it last asked: what the loop around its wait tests.
    pub fn take_joined(&mut self, _: &Crit) -> bool {
        self.current.joined.take()
    }

    /// Changes the priority of a thread of this CPU. A running one stays first, now of its new equals.
    pub fn set_priority(&mut self, _: &Crit, thread: ThreadRef, priority: Priority) {
        self.owns(thread);
        debug_assert!(thread != self.idle);
        if thread.state.get() != State::Ready {
            thread.priority.set(priority);
            return;
        }
        self.queue.remove(thread);
        thread.priority.set(priority);
        if !self.is_first(thread) {
            return self.queue.push(thread);
        }
        self.queue.push_first(thread);
        // The running thread is before its victim, also where they are equals.
        if thread != self.current && self.current.priority.get() == priority {
            self.queue.remove(self.current);
            self.queue.push_first(self.current);
        }
    }

    /// Sets what is rare about every arrival of a thread of this CPU; what others asked of it stays.
    pub fn set_rare(&mut self, _: &Crit, thread: ThreadRef, rare: Rare) {
        self.owns(thread);
        debug_assert!(!rare.intersects(Rare::LEFT | Rare::DEPARTS));
        let kept = thread.rare.get().without(Rare::SET);
        thread.rare.set(kept | rare);
    }

    /// What is rare about every arrival of a thread of this CPU.
    pub fn rare(&self, _: &Crit, thread: ThreadRef) -> Rare {
        self.owns(thread);
        thread.rare.get()
    }

    /// The running thread.
    #[inline]
    pub fn current(&self) -> ThreadRef {
        self.current
    }

    /// The idle thread.
    pub fn idle(&self) -> ThreadRef {
        self.idle
    }

    /// Whether the idle thread runs, or nobody.
    pub fn is_idle(&self) -> bool {
        self.current == self.idle || self.current == ThreadRef::nobody()
    }

    /// A tick has passed while the running thread ran: whether it should give way as soon as it can, by a yield. A borrower need not:
    /// it has no turn.
    pub fn tick(&mut self, _: &Crit) -> bool {
        self.preemption.loan.is_none() && self.queue.tick(self.current)
    }

    /// Whether another thread would run if the running one gave way.
    #[inline]
    pub fn contended(&self, _: &Crit) -> bool {
        self.queue.contended(self.current)
    }

    /// How many times this CPU has gone from one thread to another.
    pub fn switches(&self) -> u64 {
        self.waits + self.turns
    }

    /// How many times a thread of this CPU has begun to wait.
    pub fn waits(&self) -> u64 {
        self.waits
    }

    /// The CPU.
    pub fn cpu(&self) -> CpuId {
        self.cpu
    }

    /// Each thread whose home is this CPU, for reports.
    pub fn threads(&self) -> Threads<'_> {
        Threads {
            at: self.all.iter().next(),
            current: self.current,
            lender: self.lender(),
            scheduler: core::marker::PhantomData,
        }
    }

    pub(crate) fn parts(&self) -> (&Q, &Timers<ThreadRef>, &All, Option<ThreadRef>) {
        (&self.queue, &self.timers, &self.all, self.leaving.map(|(thread, _)| thread))
    }

    #[inline]
    pub(crate) fn ready(&mut self, thread: ThreadRef) {
        probe::woke(probe::low(thread.into_word()));
        thread.state.set(State::Ready);
        self.queue.push(thread);
    }

    #[inline]
    fn wait(&mut self, state: State, why: Why) -> Next {
        let me = self.current;
        self.owns(me);
        debug_assert!(me != self.idle, "the idle thread cannot wait");
        me.state.set(state);
        me.why.set(why);
        self.waits += 1;
        let next = self.leave(me);
        // Nobody idles on the stack of a thread that has to be tidied up after: tokens must be let go at once.
        if next == self.idle && self.rare.is_empty() { Next::Idle } else { Next::Switch(next) }
    }

    #[inline]
    pub(crate) fn leave(&mut self, me: ThreadRef) -> ThreadRef {
        self.queue.pop(me);
        let next = self.queue.best();
        self.switch(next);
        next
    }

    fn leave_for_good(&mut self, state: State, rare: Rare, to: CpuId) -> ThreadRef {
        let me = self.current;
        self.owns(me);
        debug_assert!(me != self.idle, "the idle thread stays");
        debug_assert!(self.leaving.is_none(), "nobody asked `arrived` after the last switch");
        me.state.set(state);
        self.leaving = Some((me, to));
        self.rare |= rare;
        self.turns += 1;
        if me.token.get() != Token::NONE {
            return self.leave_rarely();
        }
        self.leave(me)
    }

    /// The running thread, which is in no queue any more, waits.
    pub(crate) fn next_of_waiting(&mut self) -> Next {
        self.waits += 1;
        let next = self.queue.best();
        self.switch(next);
        // As in `wait`.
        if next == self.idle && self.rare.is_empty() { Next::Idle } else { Next::Switch(next) }
    }

    #[inline]
    pub(crate) fn switch(&mut self, next: ThreadRef) {
        self.owns(next);
        self.queue.switched(self.current, next);
        self.current = next;
        self.rare |= next.rare.get();
    }

    /// A thread touched by a foreign CPU ends a debug build.
    #[inline]
    pub(crate) fn owns(&self, thread: ThreadRef) {
        debug_assert!(thread.lives_on(self.cpu), "{thread:?} touched by {:?}", self.cpu);
    }
}

/// The threads that a moment wakes. What is not iterated over stays armed, and due.
pub struct Expired<'a, Q: RunQueue> {
    scheduler: &'a mut Scheduler<Q>,
    now: u64,
}

impl<Q: RunQueue> Iterator for Expired<'_, Q> {
    type Item = ThreadRef;

    fn next(&mut self) -> Option<ThreadRef> {
        let thread = self.scheduler.timers.pop(self.now)?;
        thread.timed_out.set(true);
        self.scheduler.owes_if_interrupts(thread);
        self.scheduler.ready(thread);
        Some(thread)
    }
}
