//! What the threads of a play share: who they are, where they are reached, what each found.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use kernel_core::exec::Threads;
use kernel_core::token::SpinLock;
use kernel_core::{cpu, thread, timer};
use lwkt_port::{Body, Message, Port, ReplyPort, ThreadPort};
use lwkt_sched::{MayBlock, ThreadRef};
use percpu::Crit;
use workload::{Source, Workload};

/// A request for a job.
pub(crate) struct Request {
    /// When it was sent, and when it was answered, in nanoseconds since boot.
    pub sent: u64,
    pub answered: u64,
    /// There are no more: who receives it ends.
    pub is_last: bool,
}

impl Body for Request {
    type Reply = ();
    type Exec = Threads;
}

/// What a thread found.
#[derive(Default)]
pub(crate) struct Tally {
    /// Jobs of its own, and requests that it sent.
    pub came: u64,
    pub sent: u64,
    pub done: u64,
    /// What its services were to take, and what they took.
    pub service: u64,
    pub cpu_time: u64,
    /// Ticks that ended its turn.
    pub turns: u64,
    /// How long it had to wait each time that it was woken.
    pub wakes: Vec<u64>,
    /// When it did something last, since the start.
    pub last: u64,
    /// Rests of all CPUs that were over when it had no more to do: what comes after the last of all is the end's alone.
    pub rests: u64,
    /// It has done all that it had to do.
    pub ended: bool,
}

/// The rank of the lock of a tally: nobody takes another with it.
const RANK: u32 = 1;

/// One of a group.
pub(crate) struct Member {
    thread: AtomicUsize,
    ready: AtomicBool,
    pub port: ThreadPort<Request>,
    pub replies: ReplyPort<Request>,
    tally: SpinLock<Tally>,
}

impl Member {
    fn new() -> Self {
        Self {
            thread: AtomicUsize::new(0),
            ready: AtomicBool::new(false),
            port: ThreadPort::new(),
            replies: ReplyPort::new(),
            tally: SpinLock::new(RANK, Tally::default()),
        }
    }

    /// Names its thread, before the start.
    pub fn enter(&self, thread: ThreadRef) {
        // Pairs with: `thread`, acquire.
        self.thread.store(thread.into_word(), Ordering::Release);
    }

    fn thread(&self) -> ThreadRef {
        // Pairs with: `enter`, release.
        let word = self.thread.load(Ordering::Acquire);
        // SAFETY: `enter` made the word, before any thread played.
        unsafe { ThreadRef::from_word(word) }
    }

    /// It waits for the start.
    pub fn get_ready(&self) {
        self.ready.store(true, Ordering::Relaxed);
    }

    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    pub fn put_tally(&self, tally: Tally) {
        *self.tally.lock() = tally;
    }

    pub fn take_tally(&self) -> Tally {
        core::mem::take(&mut *self.tally.lock())
    }
}

/// A group, and its barrier.
pub(crate) struct Group {
    number: usize,
    members: Vec<Member>,
    /// How many are at the barrier: counted on the CPU where the first of the group is.
    there: AtomicUsize,
    /// How often all were, and when last, in nanoseconds since boot.
    releases: AtomicU64,
    released: AtomicU64,
    /// Requests that were sent to it.
    asked: AtomicU64,
}

impl Group {
    pub fn member(&self, index: usize) -> &Member {
        &self.members[index]
    }

    pub fn count(&self) -> usize {
        self.members.len()
    }

    /// What the workload says of it.
    pub fn said<'a>(&self, stage: &'a Stage) -> &'a workload::Group {
        &stage.workload.groups[self.number]
    }

    /// The CPU of a member.
    pub fn place(&self, stage: &Stage, index: usize) -> usize {
        self.said(stage).cpu_of(index, stage.cpus)
    }

    /// So many requests came to it, as a thread says that has sent them.
    pub fn note_came(&self, requests: u64) {
        self.asked.fetch_add(requests, Ordering::Relaxed);
    }

    pub fn came(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// One more is at the barrier. On the CPU of the first of the group.
    pub fn one_more(&self, crit: &Crit) {
        let there = self.there.load(Ordering::Relaxed) + 1;
        let all = there == self.members.len();
        self.there.store(if all { 0 } else { there }, Ordering::Relaxed);
        if all {
            self.released.store(timer::now(), Ordering::Relaxed);
            let releases = self.releases.load(Ordering::Relaxed);
            // Pairs with: `is_released`, acquire.
            self.releases.store(releases + 1, Ordering::Release);
            self.members.iter().for_each(|member| thread::wake(crit, member.thread()));
        }
    }

    /// Whether all have been at the barrier more than so many times.
    pub fn is_released(&self, times: u64) -> bool {
        // Pairs with: `one_more`, release.
        self.releases.load(Ordering::Acquire) > times
    }

    /// When they last were.
    pub fn released(&self) -> u64 {
        self.released.load(Ordering::Relaxed)
    }
}

/// A play. For good: what is left is small, and a kernel plays once.
pub(crate) struct Stage {
    workload: Workload,
    groups: Vec<Group>,
    cpus: usize,
    seed: u64,
    start: AtomicU64,
    over: AtomicBool,
}

impl Stage {
    pub fn set(workload: Workload, seed: u64, cpus: usize) -> &'static Self {
        let group = |(number, group): (usize, &workload::Group)| Group {
            number,
            members: (0..group.threads(cpus)).map(|_| Member::new()).collect(),
            there: AtomicUsize::new(0),
            releases: AtomicU64::new(0),
            released: AtomicU64::new(0),
            asked: AtomicU64::new(0),
        };
        let groups = workload.groups.iter().enumerate().map(group).collect();
        let (start, over) = (AtomicU64::new(0), AtomicBool::new(false));
        Box::leak(Box::new(Self { workload, groups, cpus, seed, start, over }))
    }

    pub fn workload(&self) -> &Workload {
        &self.workload
    }

    pub fn group(&self, number: usize) -> &Group {
        &self.groups[number]
    }

    pub fn cpus(&self) -> usize {
        self.cpus
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Group and number of each thread.
    pub fn players(&self) -> impl Iterator<Item = (usize, usize)> {
        self.groups.iter().flat_map(|group| (0..group.count()).map(|index| (group.number, index)))
    }

    /// The CPUs on which there are some.
    pub fn places(&self) -> impl Iterator<Item = usize> {
        let is_one = |cpu: &usize| {
            self.players().any(|(number, index)| self.groups[number].place(self, index) == *cpu)
        };
        (0..self.cpus).filter(is_one)
    }

    /// Says when the play starts, in nanoseconds since boot, before there is any thread.
    pub fn start_at(&self, moment: u64) {
        self.start.store(moment, Ordering::Relaxed);
    }

    pub fn start(&self) -> u64 {
        self.start.load(Ordering::Relaxed)
    }

    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Has all threads end, those that are not done too.
    pub fn dismiss(&'static self, cx: &mut MayBlock) {
        self.over.store(true, Ordering::Relaxed);
        cpu::critical(|crit| {
            self.groups
                .iter()
                .flat_map(|group| &group.members)
                .for_each(|member| thread::wake(crit, member.thread()));
        });
        for group in self.groups.iter().filter(|group| group.said(self).source == Source::Requests)
        {
            for member in &group.members {
                let last = Request { sent: 0, answered: 0, is_last: true };
                // Who has closed its port has ended.
                let _ = member.port.do_(cx, &mut Message::new(last));
            }
        }
    }
}
