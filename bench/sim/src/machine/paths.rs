//! The kernel's paths, step by step, and what each step does when its cost has passed.

use ipiq::RING_DEPTH;
use ipiq::doorbell::mark_of;
use ipiq::knocking::{Knock, Knocking};
use lwkt_sched::{Left, Next, RunQueue};
use percpu::CpuId;

use super::mail::Letter;
use super::{Doing, Machine, What};
use crate::costs::{PAUSE, RING, TICK};
use crate::ground::{self, Link};

/// A step of a path. It takes effect when its cost has passed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// Out of the halt.
    Awake,
    /// Into the doorbell's handler: takes the marks.
    Enter,
    /// Takes the oldest call of a source, so many at most.
    Serve(usize, usize),
    /// Puts the doorbell to rest, or looks again.
    Settle,
    /// Out of a handler.
    Leave,
    /// Into the timer's handler: wakes who is due.
    Fire,
    /// A thread was woken.
    Woke,
    /// Does what a call says, here.
    Apply(Letter),
    /// Puts a call into a ring, and knocks.
    Send(CpuId, Letter),
    /// Has a CPU interrupted.
    Ring(CpuId),
    /// Tries again to send what found no room.
    Flush,
    /// On the stack of the thread that was switched to.
    Arrive,
}

impl<Q: RunQueue, K: Knocking> Machine<'_, Q, K> {
    fn cost(&self, step: &Step) -> u64 {
        let costs = self.costs;
        match step {
            Step::Awake => costs.idle,
            Step::Enter | Step::Fire => costs.enter,
            // `send` has paid for both ends of the ring; a further look in the same handler is in no figure.
            Step::Serve(..) | Step::Settle => 0,
            Step::Leave => costs.leave,
            Step::Woke => costs.wake,
            Step::Apply(letter) => letter.cost(costs),
            Step::Send(..) => costs.send,
            Step::Ring(_) => RING,
            Step::Flush => PAUSE,
            Step::Arrive => costs.switch,
        }
    }

    /// Goes on until the next moment at which time passes on this CPU; then so do those that wait for its path to end.
    pub(super) fn proceed(&mut self, cpu: usize) {
        let mut next = self.stream.take(cpu);
        if next.is_none() {
            self.cpus[cpu].doing = Doing::Waits;
        }
        while let Some(cpu) = next {
            self.go_on_path(cpu);
            let is_over = !matches!(self.cpus[cpu].doing, Doing::Path(_));
            next = is_over.then(|| self.stream.leave(cpu)).flatten();
        }
    }

    fn go_on_path(&mut self, cpu: usize) {
        loop {
            let own = &mut self.cpus[cpu];
            if let Some(step) = own.steps.pop_front() {
                match self.cost(&step) {
                    0 => self.finish(cpu, step),
                    cost => {
                        self.report.in_kernel += cost;
                        self.cpus[cpu].doing = Doing::Path(step);
                        return self.foresee(cost, cpu, What::Step);
                    }
                }
            } else if std::mem::take(&mut own.rung) {
                own.steps.push_back(Step::Enter);
            } else if std::mem::take(&mut own.timer_due) {
                own.steps.push_back(Step::Fire);
            } else if !own.parked.is_empty() {
                own.steps.push_back(Step::Flush);
            } else if !self.outside_paths(cpu) {
                return;
            }
        }
    }

    /// No path is under way: lets the thread go on, or rests. False when time passes now.
    fn outside_paths(&mut self, cpu: usize) -> bool {
        let (crit, now) = (ground::crit(), self.now);
        let own = &mut self.cpus[cpu];
        if own.own.is_idle() {
            if let Next::Switch(_) = own.own.pick(&crit) {
                own.steps.push_back(Step::Arrive);
                return true;
            }
            own.doing = Doing::Idle;
            self.idle += 1;
            self.rearm(cpu);
            return false;
        }
        let thread = ground::index_of(own.own.current());
        if self.threads[thread].left == 0 {
            self.go_on(cpu, thread);
            return self.flush_brought(cpu);
        }
        let own = &mut self.cpus[cpu];
        if std::mem::take(&mut own.gives_way) {
            self.report.ticks += 1;
            if let Next::Switch(_) = own.own.yield_now(&crit) {
                self.begins_to_wait(thread, None);
                self.cpus[cpu].steps.push_back(Step::Arrive);
            }
            return true;
        }
        let contended = own.own.contended(&crit);
        if contended {
            own.tick.get_or_insert(now + TICK);
        }
        own.doing = Doing::Thread(now);
        let turn = own.turn;
        self.rearm(cpu);
        self.foresee(self.threads[thread].left, cpu, What::Service(turn));
        false
    }

    /// Puts what was brought to the front of the steps. Always true: there is something to do.
    fn flush_brought(&mut self, cpu: usize) -> bool {
        for step in self.brings.drain(..).rev() {
            self.cpus[cpu].steps.push_front(step);
        }
        true
    }

    /// Arms the timer for the earliest deadline, if that has changed.
    fn rearm(&mut self, cpu: usize) {
        let own = &mut self.cpus[cpu];
        let sleeping = own.own.next_deadline(&ground::crit());
        let earliest = sleeping.into_iter().chain(own.tick).min();
        if own.armed != earliest {
            own.armed = earliest;
            if let Some(at) = earliest {
                self.foresee(at.saturating_sub(self.now), cpu, What::Timer(at));
            }
        }
    }

    /// The cost of a step has passed.
    pub(super) fn finish(&mut self, cpu: usize, step: Step) {
        match step {
            Step::Leave | Step::Woke => {}
            Step::Awake => self.report.rests += 1,
            Step::Enter => self.take_marks(cpu),
            Step::Serve(source, left) => {
                let links = &mut self.cpus[cpu].links;
                if let Some(words) = links.get(&source).and_then(Link::pop) {
                    self.brings.push(Step::Apply(Letter::of(words)));
                    if left > 1 {
                        self.brings.push(Step::Serve(source, left - 1));
                    }
                } else {
                    self.rings.extend(links.remove(&source));
                }
            }
            Step::Settle => {
                if self.cpus[cpu].bell.settle(0) {
                    self.brings.push(Step::Leave);
                } else {
                    self.take_marks(cpu);
                }
            }
            Step::Fire => self.fire(cpu),
            Step::Apply(letter) => self.apply(cpu, letter),
            Step::Send(to, letter) => self.send(cpu, to, letter),
            Step::Ring(to) => {
                self.report.ipis_sent += 1;
                let flight = self.stream.flight();
                self.foresee(flight, to.index(), What::Rung);
            }
            Step::Flush => self.flush_parked(cpu),
            Step::Arrive => self.arrive(cpu),
        }
        self.flush_brought(cpu);
    }

    fn take_marks(&mut self, cpu: usize) {
        let marks = self.cpus[cpu].bell.take();
        let marked = |source: &usize| mark_of(CpuId::at(*source)) & marks != 0;
        let sources = self.cpus[cpu].links.keys().copied().filter(marked);
        self.brings.extend(sources.map(|source| Step::Serve(source, RING_DEPTH)));
        self.brings.push(Step::Settle);
    }

    fn fire(&mut self, cpu: usize) {
        let (crit, now) = (ground::crit(), self.now);
        let due: Vec<_> = self.cpus[cpu].own.expire(&crit, now).collect();
        for thread in due.into_iter().map(ground::index_of) {
            self.begins_to_wait(thread, Some(self.threads[thread].deadline));
            self.brings.push(Step::Woke);
        }
        let own = &mut self.cpus[cpu];
        if own.tick.is_some_and(|tick| tick <= now) {
            own.tick = None;
            own.gives_way |= own.own.tick(&crit);
        }
        self.brings.push(Step::Leave);
    }

    fn send(&mut self, cpu: usize, to: CpuId, letter: Letter) {
        self.report.messages += 1;
        let straight = self.cpus[cpu].parked.iter().all(|(other, _)| *other != to);
        if straight && self.push(cpu, to, letter) {
            return self.knock(cpu, to);
        }
        self.report.ring_full += 1;
        self.cpus[cpu].parked.push_back((to, letter));
    }

    fn push(&mut self, cpu: usize, to: CpuId, letter: Letter) -> bool {
        let fresh = || self.rings.pop().unwrap_or_default();
        let link = self.cpus[to.index()].links.entry(cpu).or_insert_with(fresh);
        link.push(letter.words())
    }

    fn knock(&mut self, cpu: usize, to: CpuId) {
        match self.cpus[to.index()].bell.knock::<K>(mark_of(CpuId::at(cpu))) {
            Knock::Ring => self.brings.push(Step::Ring(to)),
            Knock::Avoided => self.report.ipis_avoided += 1,
        }
    }

    fn flush_parked(&mut self, cpu: usize) {
        while let Some((to, letter)) = self.cpus[cpu].parked.front().copied() {
            if !self.push(cpu, to, letter) {
                return;
            }
            self.cpus[cpu].parked.pop_front();
            self.knock(cpu, to);
        }
    }

    /// The thread that was switched to has the CPU; whoever left for good is sent on.
    fn arrive(&mut self, cpu: usize) {
        if let Some((_, left)) = self.cpus[cpu].own.arrived(&ground::crit()) {
            match left {
                Some(Left::Moved(thread, to)) => {
                    self.post(cpu, to, Letter::Take(ground::index_of(thread)));
                }
                None => {}
                Some(other) => unreachable!("no thread of a workload ends: {other:?}"),
            }
        }
        if !self.cpus[cpu].own.is_idle() {
            let thread = ground::index_of(self.cpus[cpu].own.current());
            self.runs(thread);
        }
    }
}
