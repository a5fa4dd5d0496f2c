//! Our user threads with their whole scheduler: the layer's entry points on a host thread that plays a CPU process.

use crate::clock::{pin, ticks};
use crate::rounds::together;
use abi::Completions;
use std::alloc::{Layout, alloc_zeroed};
use std::cell::{Cell, RefCell};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use uarch::call::switching;
use uarch::host::{run, set_gs_base};
use uarch::switch::Context;
use uarch::{entry, landing, loop_entry};
use uthread::{Carrier, Class, Kernel, Options, Process, Semaphore, Tcb};

/// Stacks of each class.
const STACKS: u64 = 8;
/// Yields per measurement.
const YIELDS: u64 = 20_000;
/// Semaphore round trips per measurement.
const TRIPS: u64 = 10_000;
/// Threads made per measurement.
const CREATED: u64 = 10_000;
/// Round trips of threads of the host's kernel per measurement.
const PARKS: u64 = 500;
/// Threads of the host's kernel made per measurement.
const CREATED_BY_KERNEL: u64 = 20;

/// Ticks to create, run and join a thread of the standard library, on the same CPU.
pub fn std_create_join() -> f64 {
    let mut number = 0;
    let start = ticks();
    for _ in 0..CREATED_BY_KERNEL {
        number = thread::spawn(move || next(number)).join().expect("it adds one");
    }
    let end = ticks();
    assert_eq!(number, CREATED_BY_KERNEL);
    (end - start) as f64 / CREATED_BY_KERNEL as f64
}

/// Ticks for two threads of the standard library, on two CPUs, to unpark each other.
pub fn std_park(cpus: (usize, usize)) -> f64 {
    let turn = AtomicU64::new(0);
    let here = thread::current();
    let (tell, told) = channel();
    let wait_for = |number: u64| {
        while turn.load(Ordering::Acquire) < number {
            thread::park();
        }
    };
    let other = || {
        tell.send(thread::current()).expect("somebody listens");
        for trip in 0..PARKS {
            wait_for(2 * trip + 1);
            turn.store(2 * trip + 2, Ordering::Release);
            here.unpark();
        }
    };
    let measured = together(cpus, other, || {
        let other = told.recv().expect("it says who it is");
        for trip in 0..PARKS {
            turn.store(2 * trip + 1, Ordering::Release);
            other.unpark();
            wait_for(2 * trip + 2);
        }
    });
    measured / PARKS as f64
}

/// A kernel that is never asked: the first thread is always ready.
#[derive(Clone, Copy, Default)]
struct Silent;

impl Kernel for Silent {
    fn now(self, _: &Carrier) -> u64 {
        0
    }
    fn wait(self, _: &Carrier, _: u64, _: u64) {
        unreachable!("a thread is always ready");
    }
    fn wake(self, _: u32) {}
}

/// What to measure.
#[derive(Clone, Copy)]
enum Job {
    Yield,
    RoundTrip,
    CreateJoin,
}

/// A CPU process on a host thread; it lives as long as this program.
pub struct Threads {
    jobs: Sender<Job>,
    ticks: Receiver<f64>,
}

thread_local! {
    static PAIR: Cell<Option<&'static Pair>> = const { Cell::new(None) };
    static ENDS: RefCell<Option<(Receiver<Job>, Sender<f64>)>> = const { RefCell::new(None) };
}

impl Threads {
    /// Starts the process on `cpu`.
    pub fn start(cpu: usize) -> Threads {
        let (jobs, take) = channel();
        let (give, ticks) = channel();
        thread::spawn(move || {
            pin(cpu);
            ENDS.set(Some((take, give)));
            process();
        });
        Threads { jobs, ticks }
    }

    /// Ticks per switch when two threads yield to each other.
    pub fn yields(&self) -> f64 {
        self.measure(Job::Yield)
    }

    /// Ticks for two threads to wake each other by semaphores.
    pub fn round_trip(&self) -> f64 {
        self.measure(Job::RoundTrip)
    }

    /// Ticks to create, run and join a thread.
    pub fn create_join(&self) -> f64 {
        self.measure(Job::CreateJoin)
    }

    fn measure(&self, job: Job) -> f64 {
        self.jobs.send(job).expect("the process lives");
        self.ticks.recv().expect("the process lives")
    }
}

fn zeroed(bytes: u64) -> NonNull<u8> {
    let layout = Layout::from_size_align(bytes as usize, 4096).expect("whole pages");
    // SAFETY: the size is not zero.
    NonNull::new(unsafe { alloc_zeroed(layout) }).expect("memory")
}

/// Makes the process and runs its first thread, for ever.
fn process() {
    let shared: &'static Process = Box::leak(Box::new(Process::new()));
    for class in Class::ALL {
        let slab = zeroed(class.stride() * STACKS);
        // SAFETY: fresh memory that is never freed.
        unsafe { shared.give_slab(class, slab.as_ptr() as u64, STACKS) };
    }
    let area = zeroed(abi::map::CARRIER_LENGTH);
    let top = area.as_ptr() as usize + abi::map::CARRIER_LENGTH as usize;
    let completions = Box::leak(Box::new(Completions::new()));
    let (landing, own_loop) = (landing::<Silent>(), loop_entry::<Silent>());
    // SAFETY: fresh memory that is never freed; the addresses are the crate's.
    let carrier =
        unsafe { Carrier::make(area.cast(), 0, top, completions, shared, landing, own_loop) };
    let local = || Semaphore::local(0, carrier.inbox());
    PAIR.set(Some(Box::leak(Box::new(Pair { there: local(), back: local() }))));
    // SAFETY: the area of a carrier; nothing else on this host thread uses GS.
    unsafe { set_gs_base(area.as_ptr() as usize) };
    let options = Options { class: Class::Large, priority: Some(16), ..Options::USUAL };
    carrier.create(first as *const () as usize, 0, options.word(), Silent).expect("a stack");
    let mut home = Context::default();
    // SAFETY: the GS base is the carrier's area, whose running thread is its idle block.
    unsafe { run(&mut home, own_loop) };
}

/// The first user thread: measures what it is asked to.
extern "C" fn first(_: u64) -> u64 {
    ENDS.with_borrow(|ends| {
        let (jobs, ticks) = ends.as_ref().expect("set before the process was made");
        for job in jobs {
            let figure = match job {
                Job::Yield => yields(),
                Job::RoundTrip => round_trip(),
                Job::CreateJoin => create_join(),
            };
            ticks.send(figure).expect("the comparison waits for it");
        }
    });
    // The program ends; so does this host thread, in whatever state.
    loop {
        thread::park();
    }
}

/// Both threads do it here: they go on at the same place, as threads do that run the same code.
#[inline(never)]
fn yield_often(count: u64) {
    for _ in 0..count {
        yield_now();
    }
}

extern "C" fn yielder(count: u64) -> u64 {
    yield_often(count);
    0
}

#[inline(never)]
fn yields() -> f64 {
    let other = create(yielder, YIELDS);
    yield_now();
    let start = ticks();
    yield_often(YIELDS / 2);
    let end = ticks();
    join(other);
    (end - start) as f64 / YIELDS as f64
}

/// The semaphores of two threads of this CPU process.
struct Pair {
    there: Semaphore,
    back: Semaphore,
}

extern "C" fn answer(pair: u64) -> u64 {
    // SAFETY: `round_trip` leaks it.
    let pair = unsafe { &*(pair as *const Pair) };
    for _ in 0..TRIPS {
        wait(&pair.there);
        post(&pair.back);
    }
    0
}

#[inline(never)]
fn round_trip() -> f64 {
    let pair = PAIR.get().expect("made with the process");
    let other = create(answer, &raw const *pair as u64);
    let start = ticks();
    for _ in 0..TRIPS {
        post(&pair.there);
        wait(&pair.back);
    }
    let end = ticks();
    join(other);
    (end - start) as f64 / TRIPS as f64
}

extern "C" fn next(number: u64) -> u64 {
    number + 1
}

#[inline(never)]
fn create_join() -> f64 {
    let mut number = 0;
    let start = ticks();
    for _ in 0..CREATED {
        number = join(create(next, number));
    }
    let end = ticks();
    assert_eq!(number, CREATED);
    (end - start) as f64 / CREATED as f64
}

#[inline(always)]
fn yield_now() {
    // SAFETY: a user thread of this process runs; the entry point takes no arguments.
    unsafe { switching(entry::yield_now::<Silent> as *const (), [0, 0]) };
}

#[inline(always)]
fn wait(semaphore: &'static Semaphore) {
    // SAFETY: a user thread of this process runs; the semaphore lives for ever.
    unsafe {
        switching(entry::semaphore_wait::<Silent> as *const (), [&raw const *semaphore as u64, 0])
    };
}

#[inline(always)]
fn post(semaphore: &'static Semaphore) {
    // SAFETY: as above.
    unsafe {
        switching(entry::semaphore_post::<Silent> as *const (), [&raw const *semaphore as u64, 0])
    };
}

#[inline(always)]
fn join(thread: &'static Tcb) -> u64 {
    // SAFETY: a user thread of this process runs, and joins a thread that nobody else joins.
    unsafe { switching(entry::join::<Silent> as *const (), [&raw const *thread as u64, 0]) }
}

#[inline(always)]
fn create(function: extern "C" fn(u64) -> u64, argument: u64) -> &'static Tcb {
    type Create = extern "C" fn(usize, u64, u64) -> Option<&'static Tcb>;
    // SAFETY: an answering entry point is a C function of this type.
    let create: Create =
        unsafe { core::mem::transmute::<*const (), Create>(entry::create::<Silent> as *const ()) };
    create(function as *const () as usize, argument, Options::USUAL.word()).expect("a stack")
}
