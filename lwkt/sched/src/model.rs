//! A machine of few CPUs under loom, for models of the crates above: every order within a bound is tried.
//!
//! A thread of loom plays a CPU with one thread of the kernel. Calls go through inboxes, in order for each pair of CPUs, and are
//! served at the end of the outermost critical section and while the thread waits. A lost wake is a deadlock, which loom reports,
//! and so is a touch of memory at the same time as another.
#![allow(unsafe_code, clippy::missing_panics_doc)]

use core::cell::{Cell, RefCell};
use core::cmp::Reverse;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::boxed::Box;
use std::vec::Vec;

use loom::sync::{Condvar, Mutex, MutexGuard};
use loom::thread;
use percpu::{CpuId, Crit};

use crate::{
    CallFn, Context, Exec, Life, MayBlock, Name, Priority, Scheduler, Thread, ThreadRef, Unstarted,
    Why,
};

type Call = (CallFn, [usize; 3]);
type Inbox = Vec<(usize, Call)>;

struct Cpu {
    /// What comes, and from where: in order for each source.
    inbox: Mutex<Inbox>,
    arrival: Condvar,
    thread: ThreadRef,
}

struct Machine {
    cpus: Vec<Cpu>,
    /// Jobs and calls that are not over. Not of loom, so that it orders nothing: one host thread runs the whole model.
    under_way: AtomicUsize,
}

impl Machine {
    /// One of them is over. With the last all may leave.
    fn over(&self) {
        if self.under_way.fetch_sub(1, Relaxed) == 1 {
            for cpu in &self.cpus {
                let inbox = cpu.inbox.lock().unwrap();
                cpu.arrival.notify_one();
                drop(inbox);
            }
        }
    }
}

/// What a CPU has to itself.
struct Own {
    machine: &'static Machine,
    here: usize,
    depth: Cell<usize>,
    woken: Cell<bool>,
    due: Cell<Option<fn(&Crit)>>,
    now: Cell<u64>,
}

loom::thread_local! {
    static OWN: RefCell<Option<&'static Own>> = RefCell::new(None);
}

fn own() -> &'static Own {
    OWN.with(|own| *own.borrow()).expect("a thread that plays a CPU")
}

impl Own {
    fn cpu(&self) -> &Cpu {
        &self.machine.cpus[self.here]
    }
}

/// Gives a value up: loom's cells are of one run, and what is in them may be spoken of until its end.
pub fn leak<T>(value: T) -> &'static mut T {
    Box::leak(Box::new(value))
}

/// The modelled kernel; `BUG` says to crates above whether they have a bug on purpose.
#[derive(Debug)]
pub enum Model<const BUG: bool = false> {}

/// What a CPU does of its model.
pub type Job = Box<dyn Fn(&mut MayBlock) + Send>;

fn serve(crit: &Crit) {
    execute(crit, own().cpu().inbox.lock().unwrap());
}

/// Waits for a call, or until all is over.
fn wait(crit: &Crit) {
    let (cpu, machine) = (own().cpu(), own().machine);
    let mut inbox = cpu.inbox.lock().unwrap();
    while inbox.is_empty() && machine.under_way.load(Relaxed) > 0 {
        inbox = cpu.arrival.wait(inbox).unwrap();
    }
    execute(crit, inbox);
}

/// What later CPUs sent overtakes what earlier ones did, if both is there.
fn execute(crit: &Crit, mut inbox: MutexGuard<'_, Inbox>) {
    let mut calls = core::mem::take(&mut *inbox);
    drop(inbox);
    calls.sort_by_key(|(source, _)| Reverse(*source));
    for (_, (func, [a, b, c])) in calls {
        func(crit, a, b, c);
        own().machine.over();
    }
}

fn fire_due(crit: &Crit) {
    if let Some(due) = own().due.take() {
        due(crit);
    }
}

fn woken(crit: &Crit, thread: usize, _: usize, _: usize) {
    // SAFETY: made from a thread, by `wake`.
    Model::<false>::wake(crit, unsafe { ThreadRef::from_word(thread) });
}

// SAFETY: each loom thread plays one CPU; calls go through a mutex.
unsafe impl<const BUG: bool> Exec for Model<BUG> {
    fn crit<R>(f: impl FnOnce(&Crit) -> R) -> R {
        let depth = &own().depth;
        depth.set(depth.get() + 1);
        // SAFETY: the only thread of its CPU.
        let crit = unsafe { Crit::assume() };
        let result = f(&crit);
        if depth.get() == 1 {
            serve(&crit);
            fire_due(&crit);
        }
        depth.set(depth.get() - 1);
        result
    }

    fn here(_: &Crit) -> CpuId {
        CpuId::at(own().here)
    }

    fn current(_: &Crit) -> ThreadRef {
        own().cpu().thread
    }

    fn call(_: &Crit, to: CpuId, func: CallFn, args: [usize; 3]) {
        let machine = own().machine;
        machine.under_way.fetch_add(1, Relaxed);
        let cpu = &machine.cpus[to.index()];
        cpu.inbox.lock().unwrap().push((own().here, (func, args)));
        cpu.arrival.notify_one();
    }

    fn wake(crit: &Crit, thread: ThreadRef) {
        if thread.home() == Self::here(crit) {
            own().woken.set(true);
        } else {
            Self::call(crit, thread.home(), woken, [thread.into_word(), 0, 0]);
        }
    }

    fn block(crit: &Crit, _: &mut MayBlock, _: Why) {
        serve(crit);
        fire_due(crit);
        while !own().woken.take() {
            wait(crit);
            fire_due(crit);
        }
    }

    /// Until what has come by now, or else the deadline.
    fn block_until(crit: &Crit, _: &mut MayBlock, _: Why, deadline: u64) {
        serve(crit);
        if !own().woken.take() {
            own().now.set(deadline);
        }
    }

    fn now() -> u64 {
        own().now.get()
    }

    fn relax(crit: &Crit) {
        serve(crit);
        thread::yield_now();
    }
}

/// Runs `f` in a critical section of the CPU that this thread plays.
pub fn crit<R>(f: impl FnOnce(&Crit) -> R) -> R {
    Model::<false>::crit(f)
}

/// The thread of a CPU.
pub fn thread_of(cpu: usize) -> ThreadRef {
    own().machine.cpus[cpu].thread
}

/// Has this CPU call `f` when its calls are served next, or not before the next word of this.
pub fn set_due(_: &Crit, f: Option<fn(&Crit)>) {
    own().due.set(f);
}

/// Tries all orders, with at most `preemptions` of them forced, in which the CPUs do these jobs.
pub fn model<J: Fn(&mut MayBlock) + Send + 'static, const CPUS: usize>(
    preemptions: usize,
    jobs: impl Fn() -> [J; CPUS] + Send + Sync + 'static,
) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(move || {
        let cpus: Vec<_> = (0..CPUS)
            .map(|cpu| {
                let mut memory = Unstarted::new(leak(Thread::new()));
                let name = Name::new("only");
                memory.prepare(name, Priority::USER, Life::Detached, Context::default());
                let thread = memory.thread();
                // SAFETY: it is never used but to give the thread its home.
                let _: Scheduler = unsafe { Scheduler::new(CpuId::at(cpu), memory, || 0) };
                Cpu { inbox: Mutex::new(Vec::new()), arrival: Condvar::new(), thread }
            })
            .collect();
        let machine: &'static Machine = leak(Machine { cpus, under_way: AtomicUsize::new(CPUS) });
        let threads: Vec<_> = jobs()
            .into_iter()
            .enumerate()
            .map(|(here, job)| thread::spawn(move || play(machine, here, job)))
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

/// Does a job, and serves until all have done theirs and nothing is under way.
fn play(machine: &'static Machine, here: usize, job: impl Fn(&mut MayBlock)) {
    let own_cells: &'static Own = leak(Own {
        machine,
        here,
        depth: Cell::new(0),
        woken: Cell::new(false),
        due: Cell::new(None),
        now: Cell::new(10),
    });
    OWN.with(|own| *own.borrow_mut() = Some(own_cells));
    // SAFETY: the only thread of its CPU.
    job(&mut unsafe { MayBlock::assume() });
    crit(|crit| {
        machine.over();
        while machine.under_way.load(Relaxed) > 0 {
            wait(crit);
        }
    });
}
