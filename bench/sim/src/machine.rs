//! The machine: what happens next, on which CPU, and what that changes.
//!
//! ```text
//!  THREAD ──(1) doorbell, timer──────────────────▶ PATH ◀─┐
//!    ▲ └────(2) its work is over─────────────────▶ │ │ └──┘ (4) next step
//!    └──────(3) all steps done, somebody to run────┘ │
//!   IDLE ◀──(3) all steps done, nobody to run────────┘
//!      └────(1) doorbell, timer──────────────────▶ PATH
//! ```
//! A CPU is in a kernel path, in a thread's own work, or idle. A path is a critical section: steps that nothing interrupts,
//! each with a cost, and an effect when that has passed; what arrives meanwhile is served at its end, as the kernel does.
//! A thread's work is interrupted and goes on afterwards (`paths` has the steps, `life` what threads do between).

mod ends;
mod life;
mod mail;
mod paths;
mod stream;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::marker::PhantomData;

use ipiq::doorbell::Doorbell;
use ipiq::knocking::Knocking;
use lwkt_sched::{RunQueue, Scheduler, ThreadRef};
use percpu::CpuId;

use self::life::{Awaits, Job, Phase};
use self::mail::Letter;
use self::paths::Step;
use self::stream::Stream;
use ::workload::{Arrivals, Chance, Pull};

use crate::costs::Costs;
use crate::ground::{self, Link};
use crate::measure::Report;
use crate::workload::Workload;

/// What happens at a moment on a CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// A step of a path is over.
    Step,
    /// A thread's work is over, unless it was interrupted: then the CPU's count of turns is another.
    Service(u64),
    /// The doorbell's interrupt.
    Rung,
    /// The timer that was armed for this deadline.
    Timer(u64),
}

/// When, where, the how manieth of all that were foreseen, and what.
type Event = (u64, usize, u64, What);

/// What a CPU does.
enum Doing {
    Idle,
    Path(Step),
    /// It has a path to go on with when another CPU's is over.
    Waits,
    /// A thread's own work, since.
    Thread(u64),
}

struct Cpu<Q: RunQueue> {
    own: Scheduler<Q>,
    bell: Doorbell,
    /// The rings that lead here and have something in them, by source.
    links: BTreeMap<usize, Link>,
    steps: VecDeque<Step>,
    /// What found no room, in order.
    parked: VecDeque<(CpuId, Letter)>,
    doing: Doing,
    turn: u64,
    rung: bool,
    timer_due: bool,
    armed: Option<u64>,
    tick: Option<u64>,
    gives_way: bool,
}

/// A thread, as far as its workload goes. Touched by its home CPU, but for the numbers that never change.
struct Simulated {
    thread: ThreadRef,
    group: usize,
    index: usize,
    chance: Chance,
    phase: Phase,
    job: Job,
    /// What would wake it.
    awaits: Awaits,
    /// What is left of the service under way.
    left: u64,
    /// Requests that wait: who sent them.
    inbox: VecDeque<usize>,
    unanswered: u64,
    released: bool,
    /// Jobs that arrive by themselves, and how many have arrived and wait.
    arrivals: Arrivals,
    backlog: u64,
    /// Jobs that it may still begin without being asked.
    may_begin: u64,
    deadline: u64,
    /// In a queue, and not on the CPU.
    waits: bool,
    /// Since when it should run, if it was woken.
    woken: Option<u64>,
    cpu_time: u64,
}

#[derive(Default)]
struct GroupState {
    came: u64,
    done: u64,
    /// Requests on their way.
    travelling: u64,
    /// What all services that were begun are to take.
    service: u64,
    at_barrier: usize,
    members: Vec<usize>,
    wakes: Vec<u64>,
}

/// The machine, with its threads.
pub struct Machine<'a, Q: RunQueue, K: Knocking> {
    workload: &'a Workload,
    costs: &'a Costs,
    now: u64,
    events: BinaryHeap<Reverse<Event>>,
    foreseen: u64,
    cpus: Vec<Cpu<Q>>,
    threads: Vec<Simulated>,
    groups: Vec<GroupState>,
    /// Rings with nothing in them: with a thousand CPUs not every pair can have its own, and empty ones are all alike.
    rings: Vec<Link>,
    /// Steps that the step under way brings, to be done right behind it.
    brings: Vec<Step>,
    idle: usize,
    waiting: usize,
    /// Jobs and threads that have to come to an end before the workload is over, if it has an end of its own.
    open: u64,
    stream: Stream,
    report: Report,
    knocking: PhantomData<K>,
}

impl<'a, Q: RunQueue, K: Knocking> Machine<'a, Q, K> {
    /// Runs for as long as the workload says.
    pub fn run(mut self) -> Report {
        for cpu in 0..self.cpus.len() {
            self.idle -= 1;
            self.proceed(cpu);
        }
        let end = self.workload.duration;
        while let Some(Reverse((at, cpu, _, what))) = self.events.pop() {
            if at > end {
                break;
            }
            self.pass(at);
            self.happen(cpu, what);
        }
        let is_over = self.workload.jobs.is_some() && self.open == 0;
        // What still travels then is nobody's job any more.
        if !is_over {
            self.pass(end);
            self.report.duration = end;
        }
        self.report.is_over = is_over;
        self.conclude()
    }

    /// One of those that have to end has ended.
    fn ends(&mut self) {
        self.open -= 1;
        self.report.duration = self.now;
    }

    /// Lets time pass.
    fn pass(&mut self, to: u64) {
        let wasted = self.idle.min(self.waiting) as u64;
        self.report.idle_while_waiting += wasted * (to - self.now);
        self.now = to;
        ground::set_now(to);
    }

    fn foresee(&mut self, after: u64, cpu: usize, what: What) {
        self.foreseen += 1;
        self.events.push(Reverse((self.now + after, cpu, self.foreseen, what)));
    }

    fn happen(&mut self, cpu: usize, what: What) {
        match what {
            // (4), or (3).
            What::Step => {
                let Doing::Path(step) = std::mem::replace(&mut self.cpus[cpu].doing, Doing::Idle)
                else {
                    unreachable!("a path is not interrupted")
                };
                self.finish(cpu, step);
                self.proceed(cpu);
            }
            // (2)
            What::Service(turn) if self.cpus[cpu].turn == turn => {
                self.charge(cpu);
                self.proceed(cpu);
            }
            What::Rung => {
                self.cpus[cpu].rung = true;
                self.interrupt(cpu);
            }
            What::Timer(deadline) if self.cpus[cpu].armed == Some(deadline) => {
                self.cpus[cpu].armed = None;
                self.cpus[cpu].timer_due = true;
                self.interrupt(cpu);
            }
            What::Service(_) | What::Timer(_) => {}
        }
    }

    /// Whatever is not a path ends (1); a path is gone on with.
    fn interrupt(&mut self, cpu: usize) {
        match self.cpus[cpu].doing {
            Doing::Path(_) | Doing::Waits => return,
            Doing::Idle => {
                self.idle -= 1;
                self.cpus[cpu].steps.push_back(Step::Awake);
            }
            Doing::Thread(_) => self.charge(cpu),
        }
        self.proceed(cpu);
    }

    /// Charges the running thread for its work so far.
    fn charge(&mut self, cpu: usize) {
        let Doing::Thread(since) = self.cpus[cpu].doing else { return };
        let worked = self.now - since;
        self.cpus[cpu].turn += 1;
        let thread = ground::index_of(self.cpus[cpu].own.current());
        self.threads[thread].cpu_time += worked;
        self.threads[thread].left -= worked;
        self.report.working += worked;
    }

    /// `thread` is in a queue from now on, and should have run since `woken`.
    fn begins_to_wait(&mut self, thread: usize, woken: Option<u64>) {
        let one = &mut self.threads[thread];
        debug_assert!(!one.waits);
        one.waits = true;
        one.woken = woken;
        self.waiting += self.works(thread);
    }

    /// Whether it is work that waits, 1 or 0: who only looks for some is none.
    fn works(&self, thread: usize) -> usize {
        usize::from(self.workload.groups[self.threads[thread].group].pull == Pull::Never)
    }

    /// `thread` waits for a CPU no more.
    fn waits_no_more(&mut self, thread: usize) {
        debug_assert!(self.threads[thread].waits);
        self.threads[thread].waits = false;
        self.waiting -= self.works(thread);
    }

    /// `thread` has got the CPU.
    fn runs(&mut self, thread: usize) {
        self.waits_no_more(thread);
        let one = &mut self.threads[thread];
        if let Some(woken) = one.woken.take() {
            self.groups[one.group].wakes.push(self.now - woken);
        }
    }
}
