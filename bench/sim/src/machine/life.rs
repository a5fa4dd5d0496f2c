//! What a thread does between the kernel's decisions: its job, step by step, over and over.
//!
//! ```text
//!  Begin ─▶ (service) ─▶ Served ─▶ Asked ─▶ Answer ─▶ There ─▶ Over ─▶ Begin
//!  waits for a job     sends     waits for   replies   waits at  sleeps
//!                      a request the window            the barrier
//! ```

use lwkt_sched::{Next, Reason, RunQueue, Why};
use percpu::CpuId;

use super::mail::Letter;
use super::paths::Step;
use super::{Machine, Simulated};
use crate::ground;
use crate::workload::{Barrier, Choose, Source};

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
}

/// A job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Job {
    /// The thread whose request it is.
    client: Option<usize>,
    /// Whether there is one.
    under_way: bool,
}

impl Simulated {
    /// Jobs of this thread that are not done at the end of time.
    pub(super) fn unfinished(&self, end: u64) -> u64 {
        debug_assert!(self.next_arrival == 0 || self.next_arrival > end);
        self.backlog + self.inbox.len() as u64 + u64::from(self.job.under_way)
    }
}

impl<Q: RunQueue> Machine<'_, Q> {
    /// The running thread, which has no work left, does what comes next.
    pub(super) fn go_on(&mut self, cpu: usize, me: usize) {
        let group = &self.workload.groups[self.threads[me].group];
        match self.threads[me].phase {
            Phase::Begin => self.begin(cpu, me),
            Phase::Served => {
                self.threads[me].phase = Phase::Asked;
                if let Some(send) = group.send {
                    self.ask(cpu, me, send.to, send.choose);
                }
            }
            Phase::Asked => match group.send {
                Some(send) if self.threads[me].unanswered >= send.window => {
                    self.block(cpu, Reason::Message);
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
                    let sleep = group.sleep.map_or(0, |sleep| mine.chance.time(sleep));
                    mine.phase = Phase::Over(self.now + sleep);
                    self.groups[mine.group].done += 1;
                } else {
                    self.block(cpu, Reason::Event);
                }
            }
            Phase::Over(until) if self.now < until => self.sleep(cpu, me, until),
            Phase::Over(_) => self.threads[me].phase = Phase::Begin,
        }
    }

    fn begin(&mut self, cpu: usize, me: usize) {
        let group = &self.workload.groups[self.threads[me].group];
        let mine = &mut self.threads[me];
        let client = match group.source {
            Source::Arrivals(_) if mine.next_arrival > self.now && mine.backlog == 0 => {
                let until = mine.next_arrival;
                return self.sleep(cpu, me, until);
            }
            Source::Arrivals(_) => {
                self.arrivals(me, self.now);
                self.threads[me].backlog -= 1;
                None
            }
            Source::Requests => match mine.inbox.pop_front() {
                Some(client) => Some(client),
                None => return self.block(cpu, Reason::Port),
            },
            Source::Always => {
                self.groups[mine.group].came += 1;
                None
            }
        };
        let mine = &mut self.threads[me];
        mine.job = Job { client, under_way: true };
        mine.left = mine.chance.time(group.service);
        mine.phase = Phase::Served;
    }

    /// Counts the arrivals of a thread up to a moment.
    fn arrivals(&mut self, me: usize, until: u64) {
        let mine = &mut self.threads[me];
        let Source::Arrivals(apart) = self.workload.groups[mine.group].source else { return };
        while mine.next_arrival <= until {
            mine.next_arrival += mine.arrivals.time(apart);
            mine.backlog += 1;
            self.groups[mine.group].came += 1;
        }
    }

    /// Counts the arrivals that nobody has looked at when time is over.
    pub(super) fn late_arrivals(&mut self) {
        for thread in 0..self.threads.len() {
            self.arrivals(thread, self.now);
        }
    }

    fn ask(&mut self, cpu: usize, me: usize, to: usize, choose: Choose) {
        let mine = &mut self.threads[me];
        let others = self.groups[to].members.len();
        let which = match choose {
            Choose::Own => mine.index % others,
            Choose::Any => mine.chance.below(others),
        };
        mine.unanswered += 1;
        self.groups[to].came += 1;
        self.groups[to].travelling += 1;
        let server = self.groups[to].members[which];
        self.post_to(cpu, server, Letter::Request(server, me, self.now));
    }

    fn block(&mut self, cpu: usize, reason: Reason) {
        let next = self.cpus[cpu].own.block(&ground::crit(), Why { reason, address: 0 });
        self.left(next);
    }

    fn sleep(&mut self, cpu: usize, me: usize, until: u64) {
        self.threads[me].deadline = until;
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
