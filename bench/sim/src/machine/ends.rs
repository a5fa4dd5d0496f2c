//! A machine's two ends: CPUs that come up, with threads that are not yet begun, and what has become of them.

use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::marker::PhantomData;

use ::workload::{Arrivals, Chance, jain};
use ipiq::doorbell::Doorbell;
use ipiq::knocking::Knocking;
use lwkt_sched::{Priority, RunQueue};
use percpu::CpuId;

use super::life::{Awaits, Job, Phase};
use super::stream::Stream;
use super::{Cpu, Doing, GroupState, Machine, Simulated};
use crate::measure::{self, Report, Wakes};
use crate::workload::{Source, Workload};
use crate::{Costs, Setting, ground};

impl<'a, Q: RunQueue, K: Knocking> Machine<'a, Q, K> {
    /// A machine whose CPUs have just come up, with all threads started.
    pub fn boot(workload: &'a Workload, costs: &'a Costs, setting: Setting) -> Self {
        ground::set_now(0);
        let cpus = (0..setting.cpus).map(|cpu| Cpu {
            own: ground::scheduler(CpuId::at(cpu)),
            bell: Doorbell::new(),
            links: BTreeMap::new(),
            steps: VecDeque::new(),
            parked: VecDeque::new(),
            doing: Doing::Idle,
            turn: 0,
            rung: false,
            timer_due: false,
            armed: None,
            tick: None,
            gives_way: false,
        });
        let mut machine = Self {
            workload,
            costs,
            now: 0,
            events: BinaryHeap::new(),
            foreseen: 0,
            cpus: cpus.collect(),
            threads: Vec::new(),
            groups: workload.groups.iter().map(|_| GroupState::default()).collect(),
            rings: Vec::new(),
            brings: Vec::new(),
            idle: setting.cpus,
            waiting: 0,
            open: 0,
            stream: Stream::new(setting.streams),
            knocking: PhantomData,
            report: Report::default(),
        };
        for group in 0..workload.groups.len() {
            for index in 0..workload.groups[group].threads(setting.cpus) {
                machine.start(group, index, setting);
            }
        }
        machine
    }

    fn start(&mut self, number: usize, index: usize, setting: Setting) {
        let group = &self.workload.groups[number];
        let priority = Priority::new(group.priority).expect("the file was looked at");
        let cpu = group.cpu_of(index, setting.cpus);
        let me = self.threads.len();
        let memory = ground::thread(&group.name, priority, me);
        let (crit, own) = (ground::crit(), &mut self.cpus[cpu].own);
        let thread = own.spawn(&crit, memory);
        if group.go.is_none() && !self.workload.may_be_pulled(group) {
            own.bind(&crit, thread);
        }
        let may_begin = match group.source {
            Source::Always => self.workload.jobs.unwrap_or(u64::MAX),
            Source::Arrivals(_) | Source::Requests => 0,
        };
        // Of those that are asked the others have to see the end.
        self.open += u64::from(group.source != Source::Requests);
        self.threads.push(Simulated {
            thread,
            group: number,
            index,
            chance: Chance::of_jobs(setting.seed, number, index),
            phase: Phase::Begin,
            job: Job::default(),
            awaits: Awaits::Nothing,
            left: 0,
            inbox: VecDeque::new(),
            unanswered: 0,
            released: false,
            arrivals: Arrivals::of(self.workload, number, index, setting.cpus, setting.seed),
            backlog: 0,
            may_begin,
            deadline: 0,
            waits: false,
            woken: None,
            cpu_time: 0,
        });
        self.groups[number].members.push(me);
        self.begins_to_wait(me, None);
    }

    /// What the run found.
    pub(super) fn conclude(mut self) -> Report {
        for cpu in 0..self.cpus.len() {
            self.charge(cpu);
            self.cpus[cpu].own.check(&ground::crit()).expect("the laws of the scheduler");
            self.report.switches += self.cpus[cpu].own.switches();
            self.report.waits += self.cpus[cpu].own.waits();
        }
        self.late_arrivals();
        let Self { workload, groups, threads, mut report, .. } = self;
        let end = report.duration;
        for (group, state) in workload.groups.iter().zip(groups) {
            let members: Vec<&Simulated> = state.members.iter().map(|at| &threads[*at]).collect();
            let shares: Vec<u64> = members.iter().map(|one| one.cpu_time).collect();
            let unfinished = members.iter().map(|one| one.unfinished(end)).sum::<u64>();
            report.groups.push(measure::Group {
                name: group.name.clone(),
                threads: members.len(),
                came: state.came,
                done: state.done,
                in_flight: unfinished + state.travelling,
                wakes: Wakes::of(state.wakes),
                service: state.service,
                jain: fraction(jain(&shares)),
                cpu_time: shares.iter().sum(),
            });
        }
        report
    }
}

fn fraction((part, whole): (u128, u128)) -> f64 {
    part as f64 / whole as f64
}
