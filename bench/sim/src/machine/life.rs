//! What a thread does between the kernel's decisions: its job, step by step, over and over.
//!
//! ```text
//!  Begin ─▶ (service) ─▶ Served ─▶ Asked ─▶ Answer ─▶ There ─▶ Over ─▶ Begin ─▶ Last
//!  waits for a job     sends     waits for   replies   waits at  sleeps          waits for all answers,
//!                      a request the window            the barrier               if there are no more jobs
//! ```

use ipiq::knocking::Knocking;
use lwkt_sched::{Next, Reason, RunQueue, Why};
use percpu::CpuId;

use super::mail::Letter;
use super::paths::Step;
use super::{Machine, Simulated};
use crate::ground;
use crate::workload::{Barrier, Source};

/// Where a thread is in its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It has none.
    Begin,
    /// The service is over.
    Served,
    /// Its request is sent, if it has one.
    Asked,
    /// It owes the answer to the request that brought the job.
    Answer,
    /// It is at the barrier, if there is one.
    There,
    /// The job is done; it sleeps until then.
    Over(u64),
    /// There are no more jobs; whether all is answered, too.
    Last(Rest),
}

/// What the end of a thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// Answers to its requests.
    Answers,
    /// Nothing.
    Nothing,
}

/// What a thread that waits is woken by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaits {
    /// A moment, if anything.
    Nothing,
    /// A request.
    Request,
    /// The answer to one of its own.
    Answer,
    /// The last at the barrier.
    Release,
}

/// A job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Job {
    /// The thread whose request it is.
    client: Option<usize>,
    /// Whether there is one.
    under_way: bool,
    /// What it is.
    drawn: workload::Job,
}

impl Simulated {
    /// Jobs of this thread that are not done at the end of time.
    pub(super) fn unfinished(&self, end: u64) -> u64 {
        debug_assert!(self.arrivals.next().is_none_or(|next| next > end));
        self.backlog + self.inbox.len() as u64 + u64::from(self.job.under_way)
    }
}

impl<Q: RunQueue, K: Knocking> Machine<'_, Q, K> {
    /// The running thread, which has no work left, does what comes next.
    pub(super) fn go_on(&mut self, cpu: usize, me: usize) {
        let group = &self.workload.groups[self.threads[me].group];
        match self.threads[me].phase {
            Phase::Begin => self.begin(cpu, me),
            Phase::Served => {
                self.threads[me].phase = Phase::Asked;
                if let Some(send) = group.send {
                    self.ask(cpu, me, send.to);
                }
                if let Some(further) = self.threads[me].job.drawn.asks {
                    let other = CpuId::at((cpu + further) % self.cpus.len());
                    self.post(cpu, other, Letter::Ask(cpu));
                }
            }
            Phase::Asked => match group.send {
                Some(send) if self.threads[me].unanswered >= send.window => {
                    self.block(cpu, me, Awaits::Answer);
                }
                _ => self.threads[me].phase = Phase::Answer,
            },
            Phase::Answer => {
                self.threads[me].phase = Phase::There;
                if let Some(client) = self.threads[me].job.client {
                    self.post_to(cpu, client, Letter::Reply(client, self.now));
                }
                if group.barrier == Barrier::All {
                    let number = self.threads[me].group;
                    let keeper = self.groups[number].members[0];
                    let place = group.cpu_of(self.threads[keeper].index, self.cpus.len());
                    self.post(cpu, CpuId::at(place), Letter::There(number));
                }
            }
            Phase::There => {
                let mine = &mut self.threads[me];
                if group.barrier == Barrier::None || std::mem::take(&mut mine.released) {
                    mine.job.under_way = false;
                    mine.phase = Phase::Over(self.now + mine.job.drawn.sleep);
                    self.groups[mine.group].done += 1;
                    self.ends();
                } else {
                    self.block(cpu, me, Awaits::Release);
                }
            }
            Phase::Over(until) if self.now < until => self.sleep(cpu, me, until),
            Phase::Over(_) => self.threads[me].phase = Phase::Begin,
            Phase::Last(Rest::Answers) if self.threads[me].unanswered > 0 => {
                self.block(cpu, me, Awaits::Answer);
            }
            Phase::Last(Rest::Answers) => {
                self.threads[me].phase = Phase::Last(Rest::Nothing);
                self.ends();
            }
            Phase::Last(Rest::Nothing) => self.block(cpu, me, Awaits::Nothing),
        }
    }

    fn begin(&mut self, cpu: usize, me: usize) {
        let mine_group = self.threads[me].group;
        let group = &self.workload.groups[mine_group];
        let mine = &mut self.threads[me];
        let now = self.now;
        let client = match group.source {
            Source::Arrivals(_) => {
                self.arrivals(me, now);
                let mine = &mut self.threads[me];
                match (mine.backlog.checked_sub(1), mine.arrivals.next()) {
                    (Some(left), _) => mine.backlog = left,
                    (None, Some(next)) => return self.sleep(cpu, me, next),
                    (None, None) => return mine.phase = Phase::Last(Rest::Answers),
                }
                None
            }
            Source::Requests => match mine.inbox.pop_front() {
                Some(client) => Some(client),
                None => return self.block(cpu, me, Awaits::Request),
            },
            Source::Always if mine.may_begin == 0 => {
                return mine.phase = Phase::Last(Rest::Answers);
            }
            Source::Always => {
                mine.may_begin -= 1;
                self.came(mine_group, 1);
                None
            }
        };
        let others = group.send.map_or(1, |send| self.groups[send.to].members.len());
        let mine = &mut self.threads[me];
        let drawn = mine.chance.job(group, mine.index, others, self.cpus.len());
        mine.job = Job { client, under_way: true, drawn };
        mine.left = drawn.service;
        mine.phase = Phase::Served;
        self.groups[mine.group].service += drawn.service;
        if let Some(to) = drawn.goes.filter(|to| *to != cpu) {
            self.go(cpu, CpuId::at(to));
        }
    }

    /// The running thread goes to another CPU, where it begins its job.
    fn go(&mut self, cpu: usize, to: CpuId) {
        match self.cpus[cpu].own.migrate(&ground::crit(), to) {
            Ok(Some(_)) => self.brings.push(Step::Arrive),
            stays => unreachable!("nobody chases it, and it is elsewhere: {stays:?}"),
        }
    }

    /// So many jobs have come to a group.
    fn came(&mut self, group: usize, jobs: u64) {
        self.groups[group].came += jobs;
        self.open += jobs;
    }

    /// Counts the arrivals of a thread up to a moment.
    fn arrivals(&mut self, me: usize, until: u64) {
        let mine = &mut self.threads[me];
        let jobs = mine.arrivals.take_until(until);
        mine.backlog += jobs;
        let group = mine.group;
        self.came(group, jobs);
    }

    /// Counts the arrivals that nobody has looked at when time is over.
    pub(super) fn late_arrivals(&mut self) {
        for thread in 0..self.threads.len() {
            self.arrivals(thread, self.now);
        }
    }

    fn ask(&mut self, cpu: usize, me: usize, to: usize) {
        let mine = &mut self.threads[me];
        mine.unanswered += 1;
        let server = self.groups[to].members[mine.job.drawn.to];
        self.came(to, 1);
        self.groups[to].travelling += 1;
        self.post_to(cpu, server, Letter::Request(server, me, self.now));
    }

    fn block(&mut self, cpu: usize, me: usize, awaits: Awaits) {
        self.threads[me].awaits = awaits;
        let reason = match awaits {
            Awaits::Request => Reason::Port,
            Awaits::Answer => Reason::Message,
            Awaits::Nothing | Awaits::Release => Reason::Event,
        };
        let next = self.cpus[cpu].own.block(&ground::crit(), Why { reason, address: 0 });
        self.left(next);
    }

    fn sleep(&mut self, cpu: usize, me: usize, until: u64) {
        (self.threads[me].deadline, self.threads[me].awaits) = (until, Awaits::Nothing);
        let next = self.cpus[cpu].own.sleep(&ground::crit(), Why::SLEEP, until);
        self.left(next);
    }

    /// The running thread waits. If nobody is there to run, the CPU waits on its stack, without a switch.
    fn left(&mut self, next: Next) {
        if let Next::Switch(_) = next {
            self.brings.push(Step::Arrive);
        }
    }
}
