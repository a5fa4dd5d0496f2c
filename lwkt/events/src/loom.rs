//! The shipped wait queue and callout under loom: every order within the bound is tried.
//!
//! `cargo test -p lwkt-events --profile models --features loom --lib loom`. Each thread of a model plays a CPU with one thread
//! of the kernel; messages go through an inbox. A lost wake is a deadlock, which loom reports, and so is a touch of memory at the
//! same time as another.

use core::cell::{Cell, RefCell};
use std::boxed::Box;
use std::collections::VecDeque;
use std::vec::Vec;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::sync::{Mutex, Notify};
use loom::thread;
use lwkt_sched::{
    Context, Exec, Life, MayBlock, Name, Priority, Scheduler, Thread, ThreadRef, Unstarted, Why,
};
use percpu::{CpuId, Crit};

use crate::{Callout, Callouts, Events, Firing, Key, WaitQueue, Waiters, When, fire, serve_one};

type Call = (fn(&Crit, usize, usize, usize), [usize; 3]);

struct Cpu {
    /// What comes, and from where: in order for each source.
    inbox: Mutex<VecDeque<(usize, Call)>>,
    arrival: Notify,
    thread: ThreadRef,
}

/// What a CPU has to itself.
struct Own {
    cpus: &'static [Cpu],
    here: usize,
    depth: Cell<usize>,
    woken: Cell<bool>,
    due: Cell<bool>,
    now: Cell<u64>,
    gone: Cell<usize>,
    waiters: RefCell<Waiters>,
    callouts: RefCell<Callouts>,
}

loom::thread_local! {
    static OWN: RefCell<Option<&'static Own>> = RefCell::new(None);
}

fn own() -> &'static Own {
    OWN.with(|own| *own.borrow()).expect("a thread that plays a CPU")
}

fn leak<T>(value: T) -> &'static mut T {
    Box::leak(Box::new(value))
}

/// The modelled kernel; `EARLY` has the bug on purpose.
enum Model<const EARLY: bool = false> {}

/// The next message: what later CPUs sent may overtake what earlier ones did.
fn take_call() -> Option<Call> {
    let mut inbox = own().cpus[own().here].inbox.lock().unwrap();
    let last = inbox.iter().map(|(source, _)| *source).max()?;
    let place = inbox.iter().position(|(source, _)| *source == last)?;
    inbox.remove(place).map(|(_, call)| call)
}

fn serve(crit: &Crit) {
    loop {
        let Some((func, [a, b, c])) = take_call() else { return };
        func(crit, a, b, c);
    }
}

fn woken(crit: &Crit, thread: usize, _: usize, _: usize) {
    // SAFETY: made from a thread, by `wake`.
    #[allow(unsafe_code)]
    Model::<false>::wake(crit, unsafe { ThreadRef::from_word(thread) });
}

// SAFETY: each loom thread plays one CPU; calls go through a mutex.
#[allow(unsafe_code)]
unsafe impl<const EARLY: bool> Exec for Model<EARLY> {
    fn crit<R>(f: impl FnOnce(&Crit) -> R) -> R {
        let depth = &own().depth;
        depth.set(depth.get() + 1);
        // SAFETY: the only thread of its CPU.
        let crit = unsafe { Crit::assume() };
        let result = f(&crit);
        if depth.get() == 1 {
            serve(&crit);
            if own().due.take() {
                fire::<Self>(&crit);
            }
        }
        depth.set(depth.get() - 1);
        result
    }

    fn here(_: &Crit) -> CpuId {
        CpuId::at(own().here)
    }

    fn current(_: &Crit) -> ThreadRef {
        own().cpus[own().here].thread
    }

    fn call(_: &Crit, to: CpuId, func: fn(&Crit, usize, usize, usize), args: [usize; 3]) {
        let cpu = &own().cpus[to.index()];
        cpu.inbox.lock().unwrap().push_back((own().here, (func, args)));
        cpu.arrival.notify();
    }

    fn wake(crit: &Crit, thread: ThreadRef) {
        if thread.home() == Self::here(crit) {
            own().woken.set(true);
        } else {
            Self::call(crit, thread.home(), woken, [thread.into_word(), 0, 0]);
        }
    }

    fn block(crit: &Crit, _: &mut MayBlock, _: Why) {
        loop {
            serve(crit);
            if own().due.take() {
                fire::<Self>(crit);
            }
            if own().woken.take() {
                return;
            }
            own().cpus[own().here].arrival.wait();
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
        loom::thread::yield_now();
    }
}

// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl<const EARLY: bool> Events for Model<EARLY> {
    fn waiters<R>(_: &Crit, _: Key, f: impl FnOnce(&mut Waiters) -> R) -> R {
        f(&mut own().waiters.borrow_mut())
    }

    fn callouts<R>(_: &Crit, _: Key, f: impl FnOnce(&mut Callouts) -> R) -> R {
        f(&mut own().callouts.borrow_mut())
    }

    fn set_deadline(_: &Crit, deadline: Option<u64>) {
        own().due.set(deadline.is_some_and(|deadline| deadline <= Self::now()));
    }

    fn drains_early() -> bool {
        EARLY
    }
}

fn crit<R>(f: impl FnOnce(&Crit) -> R) -> R {
    Model::<false>::crit(f)
}

fn gone(_: &Crit, _: usize, _: usize, _: usize) {
    own().gone.set(own().gone.get() + 1);
}

/// Tries all orders, with at most `preemptions` of them forced, in which the CPUs do these jobs.
fn model<J: Fn(&mut MayBlock) + Send + 'static, const CPUS: usize>(
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
                #[allow(unsafe_code)]
                let _: Scheduler = unsafe { Scheduler::new(CpuId::at(cpu), memory, || 0) };
                Cpu { inbox: Mutex::new(VecDeque::new()), arrival: Notify::new(), thread }
            })
            .collect();
        let cpus: &'static [Cpu] = leak(cpus);
        let threads: Vec<_> = jobs()
            .into_iter()
            .enumerate()
            .map(|(here, job)| thread::spawn(move || play(cpus, here, job)))
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

/// Does a job, and serves until all have done theirs.
fn play(cpus: &'static [Cpu], here: usize, job: impl Fn(&mut MayBlock)) {
    let own_cells: &'static Own = leak(Own {
        cpus,
        here,
        depth: Cell::new(0),
        woken: Cell::new(false),
        due: Cell::new(false),
        now: Cell::new(10),
        gone: Cell::new(0),
        waiters: RefCell::new(Waiters::new()),
        callouts: RefCell::new(Callouts::new()),
    });
    OWN.with(|own| *own.borrow_mut() = Some(own_cells));
    // SAFETY: the only thread of its CPU.
    #[allow(unsafe_code)]
    job(&mut unsafe { MayBlock::assume() });
    crit(|crit| {
        for other in (0..cpus.len()).filter(|other| *other != here) {
            Model::<false>::call(crit, CpuId::at(other), gone, [0; 3]);
        }
        while own().gone.get() + 1 < cpus.len() {
            cpus[here].arrival.wait();
            serve(crit);
        }
    });
}

type Job = Box<dyn Fn(&mut MayBlock) + Send>;

fn queue() -> &'static WaitQueue<Model> {
    leak(WaitQueue::new())
}

fn take(things: &AtomicUsize) -> bool {
    things
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |things| things.checked_sub(1))
        .is_ok()
}

/// The first table of `WaitQueue`, with what is waited for in relaxed atomics: the fences alone order it.
#[test]
fn wait_against_wake() {
    model::<Job, 2>(3, || {
        let (queue, flag) = (queue(), &*leak(AtomicBool::new(false)));
        [
            Box::new(move |_| {
                flag.store(true, Ordering::Relaxed);
                crit(|crit| queue.wake_all(crit));
            }),
            Box::new(move |cx| queue.wait_until(cx, |_| flag.load(Ordering::Relaxed))),
        ]
    });
}

/// As above, where what is asked serves messages before it answers, as a send into a full ring does.
#[test]
fn wait_against_wake_while_it_looks() {
    model::<Job, 2>(3, || {
        let (queue, flag) = (queue(), &*leak(AtomicBool::new(false)));
        let look = move |crit: &Crit| {
            let seen = flag.load(Ordering::Relaxed);
            serve(crit);
            seen
        };
        [
            Box::new(move |_| {
                flag.store(true, Ordering::Relaxed);
                crit(|crit| queue.wake_one(crit));
            }),
            Box::new(move |cx| queue.wait_until(cx, look)),
        ]
    });
}

/// A message that comes for nobody takes the CPU out of the set; it is in again before its thread looks.
#[test]
fn leaving_the_set() {
    model::<Job, 2>(2, || {
        let (queue, count) = (queue(), &*leak(AtomicUsize::new(0)));
        [
            Box::new(move |_| {
                for _ in 0..2 {
                    count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
                    crit(|crit| queue.wake_one(crit));
                }
            }),
            Box::new(move |cx| {
                for wanted in 1..3 {
                    queue.wait_until(cx, |_| count.load(Ordering::Relaxed) >= wanted);
                }
            }),
        ]
    });
}

/// Who has waited too long leaves the thing to the other; who takes it gives it on. Both end, so it was never lost.
#[test]
fn wake_one_against_deadline() {
    model::<Job, 3>(2, || {
        let (queue, things) = (queue(), &*leak(AtomicUsize::new(0)));
        let give = move || {
            things.fetch_add(1, Ordering::Relaxed);
            crit(|crit| queue.wake_one(crit));
        };
        [
            Box::new(move |_| give()),
            Box::new(move |cx| {
                if queue.wait_until_by(cx, 20, |_| take(things)).is_ok() {
                    give();
                }
            }),
            Box::new(move |cx| queue.wait_until(cx, |_| take(things))),
        ]
    });
}

/// What a handler and who drains it both use.
struct Shared {
    memory: UnsafeCell<usize>,
    armed: AtomicBool,
    over: AtomicBool,
}

// SAFETY: that it is used by one at a time is what the models are about.
#[allow(unsafe_code)]
unsafe impl Sync for Shared {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl Send for Shared {}

fn handler<const EARLY: bool>(_: &mut MayBlock, firing: &Firing<Model<EARLY>, &'static Shared>) {
    firing.value().memory.with_mut(|_| ());
    // Messages come.
    Model::<EARLY>::crit(|_| ());
    firing.value().memory.with_mut(|_| ());
}

fn last<const EARLY: bool>(_: &mut MayBlock, firing: &Firing<Model<EARLY>, &'static Shared>) {
    firing.value().over.store(true, Ordering::Relaxed);
}

fn shared() -> &'static Shared {
    leak(Shared {
        memory: UnsafeCell::new(0),
        armed: AtomicBool::new(false),
        over: AtomicBool::new(false),
    })
}

/// Sets the flag for which the CPU waits.
fn tell(flag: &AtomicBool, cpu: usize) {
    flag.store(true, Ordering::Release);
    crit(|crit| Model::<false>::wake(crit, own().cpus[cpu].thread));
}

fn wait_for(cx: &mut MayBlock, flag: &AtomicBool) {
    crit(|crit| {
        while !flag.load(Ordering::Acquire) {
            Model::<false>::block(crit, cx, Why::NOTHING);
        }
    });
}

fn draining<const EARLY: bool>(preemptions: usize) {
    model::<Job, 2>(preemptions, || {
        let shared = shared();
        let callout = &*leak(Callout::threaded(handler::<EARLY>, shared));
        let ends = &*leak(Callout::threaded(last::<EARLY>, shared));
        [
            Box::new(move |cx| {
                callout.reset(cx, When::At(0), CpuId::at(0));
                tell(&shared.armed, 1);
                while !shared.over.load(Ordering::Relaxed) {
                    serve_one::<Model<EARLY>>(cx);
                }
            }),
            Box::new(move |cx| {
                wait_for(cx, &shared.armed);
                let _ = callout.drain(cx);
                // The memory is ours: that of the handler, and the callout's own.
                shared.memory.with_mut(|_| ());
                callout.seize();
                ends.reset(cx, When::At(0), CpuId::at(0));
            }),
        ]
    });
}

/// A drain from another CPU against each step of a firing.
#[test]
fn drain_against_firing() {
    draining::<false>(2);
}

#[test]
#[should_panic = "Causality violation"]
fn drain_that_does_not_wait_is_seen() {
    draining::<true>(2);
}

/// A drain from a third CPU, which may overtake the message that moves the callout.
#[test]
fn drain_against_move() {
    model::<Job, 3>(1, || {
        let shared = shared();
        let callout = &*leak(Callout::<Model, _>::threaded(handler, shared));
        [
            Box::new(move |cx| {
                callout.reset(cx, When::At(100), CpuId::at(0));
                callout.reset(cx, When::At(100), CpuId::at(1));
                tell(&shared.armed, 2);
            }),
            Box::new(move |_| ()),
            Box::new(move |cx| {
                wait_for(cx, &shared.armed);
                assert!(callout.drain(cx) == Ok(true));
                callout.seize();
            }),
        ]
    });
}
