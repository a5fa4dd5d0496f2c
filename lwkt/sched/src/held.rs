//! What a scheduler knows about tokens: how many the running thread holds, and who has to take his again.
//!
//! Law: the number stands in the word that the switch tests, and is of the running thread alone. Who arrives lets go what
//! the thread that was left holds and marks that one ([`Rare::TOKENS`]); the mark makes its own arrival rare.

use percpu::Crit;

use crate::{Next, Rare, RunQueue, Scheduler, ThreadRef};

impl<Q: RunQueue> Scheduler<Q> {
    /// Where in a scheduler its [`Rare`] is. The running thread counts its tokens there, in single instructions, also
    /// outside critical sections: an interrupt sees them before or after, and no other thread does.
    pub const RARE: usize = core::mem::offset_of!(Self, rare);
    /// Where in a scheduler the running thread is.
    pub const CURRENT: usize = Self::CURRENT_AT;

    /// Whether anything is rare about the switch that has just been made: if not, [`arrived`](Self::arrived) need not be asked.
    #[inline]
    pub fn is_rare(&self, _: &Crit) -> bool {
        !self.rare.is_empty()
    }

    /// How many tokens the running thread holds.
    pub fn held(&self, _: &Crit) -> usize {
        self.rare.held()
    }

    /// Sets how many tokens the running thread holds.
    pub fn set_held(&mut self, _: &Crit, held: usize) {
        self.rare = self.rare.with_held(held);
    }

    /// The victim of a borrowed switch runs again, with the tokens that it kept.
    pub(crate) fn take_back(&mut self) {
        self.rare = self.rare.with_held(core::mem::take(&mut self.preemption.kept));
    }

    /// Gives way (edge 3, 2) while another thread has a token that the running one wants. If that runs on a borrowed CPU, it
    /// may be its victim's: that goes on, and the borrower waits for its turn like everybody.
    pub fn step_aside(&mut self, crit: &Crit) -> Next {
        match self.preemption.loan {
            Some(loan) if loan.borrower == self.current() => {
                self.turns += 1;
                self.back(loan);
                Next::Switch(loan.victim)
            }
            _ => self.yield_now(crit),
        }
    }

    /// Whether a thread of this CPU holds tokens, or has to take some before it goes on.
    pub fn holds_tokens(&self, crit: &Crit, thread: ThreadRef) -> bool {
        thread == self.current() && self.rare.held() > 0
            || self.rare(crit, thread).contains(Rare::TOKENS)
    }

    /// `thread` of this CPU, which does not run any more or is about to wait for a token, has let go its tokens.
    pub fn let_go(&mut self, crit: &Crit, thread: ThreadRef) {
        let rare = self.rare(crit, thread);
        thread.rare.set(rare | Rare::TOKENS);
    }

    /// The running thread holds so many tokens, all that it has to.
    pub fn taken_again(&mut self, crit: &Crit, held: usize) {
        let me = self.current();
        let rare = self.rare(crit, me);
        me.rare.set(rare.without(Rare::TOKENS));
        self.set_held(crit, held);
    }
}
