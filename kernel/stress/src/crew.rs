//! Threads that do a stress test together, and the one that waits for them and notices when they are stuck.
//!
//! ```text
//!   run: start threads ─▶ seeded turns, planted faults on ─▶ go ─▶ look at the progress, now and then ─▶ off ─▶ join
//!   thread:  wait for go ─▶ work, noting each step ─▶ done
//! ```
//! Law: between go and done no message travels but the test's own, so what a planted fault hits is the test's. A crew
//! that makes no progress is told to stop; threads that do not even then stay behind, and the next test can run.

use crate::parking::{self, Parking};
use crate::registry::Run;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use ipiq::Bell;
use kernel_core::faults::{self, Fault};
use kernel_core::plant::{self, Faults};
use kernel_core::thread::OutOfMemory;
use kernel_core::{chaos, cpu, ipi, thread, timer};
use lwkt_sched::{MayBlock, Name, Priority, ThreadRef};
use percpu::{CpuId, Crit};

/// Nanoseconds between two looks at the progress.
const LOOK: u64 = 1_000_000;

/// What a crew shares with who waits for it.
#[derive(Default)]
pub(crate) struct Crew {
    ready: AtomicUsize,
    go: AtomicBool,
    stop: AtomicBool,
    steps: AtomicUsize,
    done: AtomicUsize,
}

impl Crew {
    /// Whether to give up.
    #[inline]
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Notes some progress.
    #[inline]
    pub fn step(&self) {
        self.steps.fetch_add(1, Ordering::Relaxed);
    }
}

/// How a crew ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ended {
    /// Each thread came to its end.
    Done,
    /// No thread made progress any more, and somebody was not done.
    Stuck {
        /// A CPU with messages at its door that it was never told of.
        deaf: Option<CpuId>,
    },
}

impl Ended {
    /// Nobody waits because a doorbell was lost; `what` travels in the messages.
    pub fn nobody_deaf(self, what: &str) -> Result<(), String> {
        match self {
            Self::Stuck { deaf: Some(cpu) } => Err(format!(
                "a doorbell was lost: {what} wait for CPU {} and nobody told it",
                cpu.index()
            )),
            Self::Stuck { deaf: None } | Self::Done => Ok(()),
        }
    }
}

/// Whether the threads of a crew may leave the CPUs that they begin on, when these are parked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stay {
    Bound,
    Free,
}

/// What each thread of a crew does.
pub(crate) struct Job<T: 'static> {
    /// Names the threads.
    pub name: &'static str,
    /// What they share.
    pub shared: Arc<T>,
    /// What each does; its number comes last.
    pub work: fn(&mut MayBlock, &Crew, &T, usize),
    /// Which planted faults it is there to see.
    pub faults: Faults,
    /// Whether what a thread is goes with its CPU, or it may be driven off that.
    pub stay: Stay,
    /// Gets each thread before any of them works.
    pub meet: fn(&T, usize, ThreadRef),
}

/// Has a thread do the job on each of `cpus`.
pub(crate) fn run<T: Send + Sync>(
    run: &Run<'_>,
    cx: &mut MayBlock,
    job: &Job<T>,
    cpus: impl Iterator<Item = CpuId>,
) -> Ended {
    let crew = Arc::new(Crew::default());
    let (mut threads, mut homes) = (Vec::new(), Vec::new());
    for (number, cpu) in cpus.enumerate() {
        let (crew, shared, work) = (crew.clone(), job.shared.clone(), job.work);
        let life = move |cx: &mut MayBlock| {
            crew.ready.fetch_add(1, Ordering::AcqRel);
            // Pairs with: `go` below, release.
            while !crew.go.load(Ordering::Acquire) {
                relax(cx);
            }
            work(cx, &crew, &shared, number);
            // Pairs with: `watch`, acquire.
            crew.done.fetch_add(1, Ordering::AcqRel);
        };
        let (name, priority) = (Name::new(job.name), Priority::SERVER);
        let started = match job.stay {
            Stay::Bound => thread::spawn_bound(cpu, name, priority, life),
            Stay::Free => thread::spawn_on(cpu, name, priority, life),
        };
        let handle = started.expect("memory for a thread of a test");
        (job.meet)(&job.shared, number, handle.thread());
        homes.push((handle.thread(), cpu));
        threads.push(handle);
    }
    // Pairs with: the threads' first step, release.
    while crew.ready.load(Ordering::Acquire) < threads.len() {
        relax(cx);
    }
    chaos::set_seed(run.turns());
    plant::allow(job.faults);
    run.begin_faults(faults::Set::ALL);
    // Pairs with: the threads' wait, acquire.
    crew.go.store(true, Ordering::Release);
    let mut parking = Parking::of(homes);
    let ended = watch(run, cx, &crew, threads.len(), &mut parking);
    drop(parking);
    faults::end();
    plant::allow(Faults::None);
    if ended != Ended::Done {
        rescue(&crew, &threads);
    }
    chaos::set_seed(0);
    let mut none = Parking::of(Vec::new());
    if ended != Ended::Done && watch(run, cx, &crew, threads.len(), &mut none) != Ended::Done {
        return ended;
    }
    for handle in threads {
        handle.join(cx);
    }
    settle();
    ended
}

/// Waits until all are done, or none makes progress.
fn watch(
    run: &Run<'_>,
    cx: &mut MayBlock,
    crew: &Crew,
    threads: usize,
    parking: &mut Parking,
) -> Ended {
    let (mut seen, mut since) = (0, timer::now());
    // Pairs with: the threads' last step, release.
    while crew.done.load(Ordering::Acquire) < threads {
        if Parking::is_wanted() {
            thread::sleep(cx, parking::LOOK);
            parking.look();
        } else {
            thread::sleep(cx, LOOK);
        }
        let steps = crew.steps.load(Ordering::Relaxed) + crew.done.load(Ordering::Relaxed);
        if steps != seen {
            (seen, since) = (steps, timer::now());
        } else if timer::now() - since > run.patience() {
            return Ended::Stuck {
                deaf: cpu::all().map(cpu::Cpu::id).find(|cpu| ipi::fabric().is_marked(*cpu)),
            };
        }
    }
    Ended::Done
}

/// Frees whoever waits for what was lost.
fn rescue(crew: &Crew, threads: &[thread::Handle]) {
    crew.stop.store(true, Ordering::Relaxed);
    cpu::critical(|crit| {
        cpu::all().for_each(|cpu| ipi::fabric().bell().ring(crit, cpu.id()));
        threads.iter().for_each(|handle| wake_if_alive(crit, handle));
    });
}

/// Starts a thread, as often as a fault refuses it the memory.
pub(crate) fn start<T>(cx: &mut MayBlock, mut start: impl FnMut() -> Result<T, OutOfMemory>) -> T {
    loop {
        match start() {
            Ok(started) => return started,
            Err(OutOfMemory) if faults::may_strike(Fault::NoMemory) => relax(cx),
            Err(OutOfMemory) => panic!("no memory for a thread of a test"),
        }
    }
}

/// A joinable thread that nobody has joined is there still, over or not.
fn wake_if_alive(crit: &Crit, handle: &thread::Handle) {
    thread::wake(crit, handle.thread());
}

/// Returns when each CPU has executed what was sent to it before.
pub(crate) fn settle() {
    let all = percpu::CpuSet::first_n(cpu::count());
    ipi::settle(&all);
}

/// Lets others run: on this CPU, and under emulation on the next.
pub(crate) fn relax(cx: &mut MayBlock) {
    arch::irq::pause();
    thread::yield_now(cx);
}

/// One thread on each CPU.
pub(crate) fn everywhere() -> impl Iterator<Item = CpuId> {
    (0..cpu::count()).map(CpuId::at)
}
