//! Preemption: a switch that borrows the CPU from its victim, for an interrupt's thread, and the ways back.
//!
//! An interrupt's thread (the borrower) runs on the CPU of whoever was running (the victim); when it is through, the victim goes on,
//! as after an interrupt. If the borrower only gives way, the queue chooses a thread, which hands the CPU on to the victim at once.
//!
//! ```text
//!   victim    RUNNING ─(12)─┐ keeps its place and its tokens                   ┌─▶ RUNNING again, whoever else is ready
//!   borrower  Blocked ──────┴▶ RUNNING ─┬─(13) blocks, sleeps, moves or exits ─┤
//!                                       └─(3) gives way: Ready                 │
//!   chosen    Ready: the queue's next ────┴▶ arrives ─(14) repays, not run ────┘
//! ```
//! (Edges 1 to 11 and 15 to 17, and what the numbers mean, are at [`Thread`](crate::Thread).) A victim that was taken out
//! of the queue meanwhile does not go on, but waits there until it is woken ([`Scheduler::resumed`]).
//! The queue is not asked: who is ready, better or not, waits until the victim gives way by itself. So code that does not
//! give way sees no other thread of its CPU but interrupts' threads. What was refused for a reason that passes ([`Refusal::passes`]) is owed:
//! [`Scheduler::preempt_again`] is asked when it may have passed. Context law: as the scheduler's.

mod refusal;

use percpu::Crit;
pub use refusal::{Borrowed, Conditions, Refusal};

use crate::{Next, Priority, Rare, Reason, RunQueue, Scheduler, State, ThreadRef, Why};

/// What a thread has to look at before it waits: nothing, in the common case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Token(u8);

impl Token {
    pub const NONE: Self = Self(0);
    /// A wake came that it has not seen.
    pub const WOKEN: Self = Self(1);
    /// It runs on a borrowed CPU.
    pub const BORROWS: Self = Self(2);

    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// A CPU that is lent out.
#[derive(Clone, Copy)]
pub(crate) struct Loan {
    pub victim: ThreadRef,
    pub borrower: ThreadRef,
}

/// Why `target` has to come to run in its own time.
#[cold]
fn in_own_time(target: ThreadRef) -> Refusal {
    if target.rare.get().contains(Rare::TOKENS) { Refusal::Tokens } else { Refusal::Departs }
}

/// What a scheduler knows of preemption.
pub(crate) struct Preemption {
    pub loan: Option<Loan>,
    /// The tokens that the victim keeps meanwhile.
    pub kept: usize,
    /// A thread was refused for a reason that passes.
    owed: bool,
    counted: Borrowed,
}

impl Preemption {
    pub fn new() -> Self {
        Self { loan: None, kept: 0, owed: false, counted: Borrowed::default() }
    }
}

impl<Q: RunQueue> Scheduler<Q> {
    /// Has `target`, which waits for an interrupt, run in the time of the running thread (edge 12): the caller switches to
    /// it at once, on the running thread's stack, with interrupts on, and when that returns asks [`resumed`].
    ///
    /// # Errors
    /// Why not. Then the target is ready and runs when the running thread gives way, unless it is another CPU's.
    ///
    /// [`resumed`]: Self::resumed
    #[inline]
    pub fn preempt(
        &mut self,
        _: &Crit,
        target: ThreadRef,
        conditions: Conditions,
    ) -> Result<ThreadRef, Refusal> {
        let waits = target.lives_on(self.cpu())
            && target.state.get() == State::Blocked
            && target.why.get().reason == Reason::Interrupt;
        let refused =
            if waits { self.refusal(target, conditions) } else { Some(Refusal::NotWaiting) };
        if let Some(why) = refused {
            return Err(self.refuse(target, why));
        }
        target.state.set(State::Ready);
        self.queue.push_first(target);
        self.preemption.counted.direct += 1;
        Ok(self.lend(target))
    }

    /// Tries again for the best ready thread, if it is an interrupt's and one was refused for a reason that may have
    /// passed meanwhile: to be asked then, in the outermost critical section. The answer is as [`preempt`](Self::preempt)'s.
    pub fn preempt_again(&mut self, _: &Crit, conditions: Conditions) -> Option<ThreadRef> {
        if !self.preemption.owed {
            return None;
        }
        let best = self.queue.best();
        let waits = best != self.current() && best.why.get().reason == Reason::Interrupt;
        let refused =
            if waits { self.refusal(best, conditions) } else { Some(Refusal::NotWaiting) };
        self.preemption.owed = refused.is_none_or(Refusal::passes);
        if refused.is_some() {
            return None;
        }
        // The best thread of the queue is the first of its equals.
        self.preemption.counted.late += 1;
        Some(self.lend(best))
    }

    /// Whether a thread was refused for a reason that passes, or came to its deadline while it waited for an interrupt, and
    /// may still wait for its turn.
    #[inline]
    pub fn is_owed(&self) -> bool {
        self.preemption.owed
    }

    /// To be asked on the victim's stack when a borrowed switch has returned, in the same critical section: what became
    /// of the victim meanwhile. `Same`, unless it was taken out of the queue: then it waits here, until it is woken.
    pub fn resumed(&mut self, _: &Crit) -> Next {
        let me = self.current();
        if me.state.get() == State::Ready {
            return Next::Same;
        }
        self.next_of_waiting()
    }

    /// Gives the CPU back that is lent out (edge 14): asked by a thread that [`arrived`](Self::arrived) with
    /// [`Rare::LOAN`], as the borrower gave way to it. It was chosen, but it has to wait for the victim.
    pub fn repay(&mut self, _: &Crit) -> Next {
        let Some(loan) = self.preemption.loan else { return Next::Same };
        let chosen = self.current();
        self.back(loan);
        if chosen == loan.victim {
            self.rare = self.rare.without(Rare::KEPT);
            self.take_back();
            return Next::Same;
        }
        self.turns += 1;
        // The borrower stays ready, and comes before it where its priority has become the victim's meanwhile.
        if loan.victim.state.get() == State::Ready {
            self.queue.remove(loan.victim);
            self.queue.push_first(loan.victim);
        }
        Next::Switch(loan.victim)
    }

    /// The thread in whose time this CPU runs: the victim of a borrowed switch, else the running one.
    pub fn lender(&self) -> ThreadRef {
        self.preemption.loan.map_or(self.current(), |loan| loan.victim)
    }

    /// What this scheduler counts of preemption.
    pub fn borrowed(&self) -> Borrowed {
        self.preemption.counted
    }

    /// Why `target`, which waits for an interrupt or is ready after one, may not run now.
    #[inline]
    fn refusal(&self, target: ThreadRef, conditions: Conditions) -> Option<Refusal> {
        let victim = self.current();
        let Conditions { sections, spin_locks, syncs, masked } = conditions;
        Some(match () {
            // Its thread runs, or nobody.
            () if victim.priority.get() == Priority::IDLE => Refusal::Idle,
            () if target.priority.get() <= victim.priority.get() => Refusal::NotHigher,
            () if sections != 0 => Refusal::Critical,
            () if masked => Refusal::Masked,
            () if self.preemption.loan.is_some() => Refusal::Nested,
            () if syncs != 0 => Refusal::Sync,
            () if spin_locks != 0 => Refusal::SpinLock,
            () if target.rare.get().intersects(Rare::TOKENS | Rare::DEPARTS) => in_own_time(target),
            () => return None,
        })
    }

    /// Makes of a refused preemption an ordinary wake.
    #[cold]
    fn refuse(&mut self, target: ThreadRef, mut why: Refusal) -> Refusal {
        if !target.lives_on(self.cpu()) {
            why = Refusal::OtherCpu;
        } else if why != Refusal::NotWaiting {
            self.preemption.owed |= why.passes();
            self.ready(target);
        } else if !matches!(target.state.get(), State::Unstarted | State::Exited) {
            target.token.set(target.token.get().with(Token::WOKEN));
        }
        probe::refused(why as u32, probe::low(target.into_word()).into());
        self.preemption.counted.refuse(why, 1);
        why
    }

    /// The running thread lends the CPU to `target`, which is first of its equals in the queue.
    #[inline]
    fn lend(&mut self, borrower: ThreadRef) -> ThreadRef {
        let name = |thread: ThreadRef| probe::low(thread.into_word());
        probe::borrowed(name(borrower), name(self.current()).into());
        self.preemption.loan = Some(Loan { victim: self.current(), borrower });
        borrower.token.set(borrower.token.get().with(Token::BORROWS));
        self.preemption.kept = self.rare.held();
        self.rare = self.rare.with_held(0) | Rare::LOAN;
        self.turns += 1;
        self.switch(borrower);
        borrower
    }

    /// Makes the victim the running thread again. What is unusual about its arrivals was done when it came and still
    /// holds, but for those that are to be told of each.
    #[inline]
    pub(crate) fn back(&mut self, loan: Loan) {
        self.owns(loan.victim);
        let Loan { victim, borrower } = loan;
        probe::returned(probe::low(victim.into_word()));
        borrower.token.set(borrower.token.get().without(Token::BORROWS));
        self.preemption.loan = None;
        self.preemption.counted.returns += 1;
        self.rare = self.rare.without(Rare::LOAN);
        if self.preemption.kept > 0 {
            self.rare |= Rare::KEPT;
        }
        if victim.rare.get().contains(Rare::TRACE) {
            self.rare |= Rare::TRACE;
        }
        self.queue.switched(borrower, victim);
        self.current = victim;
    }

    /// A wait of a thread that has a token: `None` if it was woken before, else it goes back to its victim (edge 13).
    #[cold]
    pub(crate) fn wait_rarely(
        &mut self,
        state: State,
        why: Why,
        deadline: Option<u64>,
    ) -> Option<ThreadRef> {
        let me = self.current();
        let token = me.token.get();
        if token.contains(Token::WOKEN) {
            me.token.set(token.without(Token::WOKEN));
            return None;
        }
        if let Some(deadline) = deadline {
            self.timers.arm(me, deadline);
        }
        me.state.set(state);
        me.why.set(why);
        self.waits += 1;
        Some(self.leave_to_victim())
    }

    /// The borrower leaves the queue, and its victim goes on.
    #[cold]
    #[inline(never)]
    fn leave_to_victim(&mut self) -> ThreadRef {
        self.queue.pop(self.current());
        let loan = self.preemption.loan.expect("a thread that borrows has its victim");
        self.back(loan);
        loan.victim
    }

    /// What is rare about an arrival while the CPU is lent out: nothing at the borrower itself, but the next one has to be
    /// asked again. Nobody was left for good: that gives the CPU back.
    #[cold]
    #[inline(never)]
    pub(crate) fn arrived_on_loan(&mut self) -> Rare {
        let rare = core::mem::replace(&mut self.rare, Rare::LOAN);
        let at_borrower = self.preemption.loan.is_none_or(|loan| loan.borrower == self.current());
        if at_borrower { rare.without(Rare::LOAN) } else { rare }
    }

    /// The running thread, which has a token, leaves for good: it is a borrower, or was woken before.
    #[cold]
    #[inline(never)]
    pub(crate) fn leave_rarely(&mut self) -> ThreadRef {
        if self.preemption.loan.is_some() {
            self.leave_to_victim()
        } else {
            self.leave(self.current())
        }
    }

    /// Notes that `thread`, whose deadline has come, is an interrupt's: it preempts as if an interrupt had come.
    #[inline]
    pub(crate) fn owes_if_interrupts(&mut self, thread: ThreadRef) {
        self.preemption.owed |= thread.why.get().reason == Reason::Interrupt;
    }

    /// Whether `thread` is on the CPU, or was when the CPU was lent out: first of its equals in the queue.
    pub(crate) fn is_first(&self, thread: ThreadRef) -> bool {
        thread == self.current() || thread == self.lender()
    }
}
