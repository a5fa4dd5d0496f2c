//! What CPUs send to one another, and what it does where it arrives.
//!
//! A call for a thread goes to the thread's home; a home may have changed when it gets there, and it is sent on.

use ipiq::knocking::Knocking;
use lwkt_sched::{Give, RunQueue, Wake};
use percpu::CpuId;

use super::Machine;
use super::life::Awaits;
use super::paths::Step;
use crate::costs::Costs;
use crate::ground;

/// A call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Letter {
    /// To a thread, from a thread, sent at.
    Request(usize, usize, u64),
    /// To a thread: one of its requests is answered, at.
    Reply(usize, u64),
    /// To a thread: all are at the barrier, since.
    Release(usize, u64),
    /// One more of the group is at the barrier.
    There(usize),
    /// That CPU asks for a thread.
    Ask(usize),
    /// This thread comes to the CPU.
    Take(usize),
}

impl Letter {
    pub(super) fn words(self) -> [usize; 3] {
        let of =
            |kind: usize, one: usize, other: usize, at: u64| [kind | one << 3, other, at as usize];
        match self {
            Self::Request(to, from, at) => of(0, to, from, at),
            Self::Reply(to, at) => of(1, to, 0, at),
            Self::Release(to, at) => of(2, to, 0, at),
            Self::There(group) => of(3, group, 0, 0),
            Self::Ask(cpu) => of(4, cpu, 0, 0),
            Self::Take(thread) => of(5, thread, 0, 0),
        }
    }

    pub(super) fn of([word, other, at]: [usize; 3]) -> Self {
        let (one, at) = (word >> 3, at as u64);
        match word & 7 {
            0 => Self::Request(one, other, at),
            1 => Self::Reply(one, at),
            2 => Self::Release(one, at),
            3 => Self::There(one),
            4 => Self::Ask(one),
            _ => Self::Take(one),
        }
    }

    /// What it costs where it arrives, but for the wake.
    pub(super) fn cost(self, costs: &Costs) -> u64 {
        match self {
            Self::Request(..) | Self::Reply(..) | Self::There(_) => costs.message,
            Self::Take(_) => costs.wake,
            Self::Release(..) | Self::Ask(_) => 0,
        }
    }

    /// The thread that it is for.
    fn thread(self) -> Option<usize> {
        match self {
            Self::Request(to, ..) | Self::Reply(to, _) | Self::Release(to, _) => Some(to),
            Self::There(_) | Self::Ask(_) | Self::Take(_) => None,
        }
    }
}

impl<Q: RunQueue, K: Knocking> Machine<'_, Q, K> {
    /// Has a CPU, maybe this one, do something: right behind the step under way.
    pub(super) fn post(&mut self, cpu: usize, to: CpuId, letter: Letter) {
        let here = to.index() == cpu;
        self.brings.push(if here { Step::Apply(letter) } else { Step::Send(to, letter) });
    }

    /// The same for the home of a thread.
    pub(super) fn post_to(&mut self, cpu: usize, thread: usize, letter: Letter) {
        self.post(cpu, self.threads[thread].thread.home(), letter);
    }

    /// Does what a call says.
    pub(super) fn apply(&mut self, cpu: usize, letter: Letter) {
        if let Some(thread) = letter.thread()
            && self.threads[thread].thread.home().index() != cpu
        {
            return self.post_to(cpu, thread, letter);
        }
        match letter {
            Letter::Request(to, from, at) => {
                self.groups[self.threads[to].group].travelling -= 1;
                self.threads[to].inbox.push_back(from);
                self.wake_for(cpu, to, at, Awaits::Request);
            }
            Letter::Reply(to, at) => {
                self.threads[to].unanswered -= 1;
                self.wake_for(cpu, to, at, Awaits::Answer);
            }
            Letter::Release(to, at) => {
                self.threads[to].released = true;
                self.wake(cpu, to, at);
            }
            Letter::There(group) => self.one_more_there(cpu, group),
            Letter::Ask(by) => self.asked(cpu, CpuId::at(by)),
            Letter::Take(thread) => {
                self.cpus[cpu].own.acquire(&ground::crit(), self.threads[thread].thread);
                self.report.migrations += 1;
                // Who was woken before it came was woken then.
                self.begins_to_wait(thread, self.threads[thread].woken);
            }
        }
    }

    /// Wakes a thread, if this is what it waits for.
    fn wake_for(&mut self, cpu: usize, thread: usize, since: u64, what: Awaits) {
        if self.threads[thread].awaits == what {
            self.wake(cpu, thread, since);
        }
    }

    fn wake(&mut self, cpu: usize, thread: usize, since: u64) {
        self.threads[thread].awaits = Awaits::Nothing;
        match self.cpus[cpu].own.wake(&ground::crit(), self.threads[thread].thread) {
            Wake::Local => {
                self.begins_to_wait(thread, Some(since));
                self.brings.push(Step::Woke);
            }
            Wake::Already => {}
            Wake::Remote(to) => unreachable!("{to:?} was asked for"),
        }
    }

    fn one_more_there(&mut self, cpu: usize, group: usize) {
        self.groups[group].at_barrier += 1;
        if self.groups[group].at_barrier == self.groups[group].members.len() {
            self.groups[group].at_barrier = 0;
            for at in 0..self.groups[group].members.len() {
                let member = self.groups[group].members[at];
                self.post_to(cpu, member, Letter::Release(member, self.now));
            }
        }
    }

    /// Gives a thread to the CPU that asks, if one is to spare.
    fn asked(&mut self, cpu: usize, by: CpuId) {
        let (crit, own) = (ground::crit(), &mut self.cpus[cpu].own);
        let Some(thread) = own.spare(&crit, |_| true) else { return };
        if own.give(&crit, thread, by) == Give::Given {
            let thread = ground::index_of(thread);
            self.waits_no_more(thread);
            self.post(cpu, by, Letter::Take(thread));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_survive_their_words() {
        for letter in [
            Letter::Request(70_000, 99_999, 1 << 40),
            Letter::Reply(3, 9),
            Letter::Release(1023, 5),
            Letter::There(7),
            Letter::Ask(1023),
            Letter::Take(99_999),
        ] {
            assert_eq!(Letter::of(letter.words()), letter);
        }
    }
}
