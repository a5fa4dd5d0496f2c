//! The shipped wait queue and callout under loom: every order within the bound is tried.
//!
//! `cargo test -p lwkt-events --profile models --features loom --lib loom`. Each thread of a model plays a CPU with one thread
//! of the kernel; messages go through an inbox. A lost wake is a deadlock, which loom reports, and so is a touch of memory at the
//! same time as another.

mod published;

use core::cell::RefCell;
use std::boxed::Box;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use lwkt_sched::model::{Job, Model, crit, leak, model, set_due, thread_of};
use lwkt_sched::{Exec, MayBlock, Why};
use percpu::{CpuId, Crit};

use crate::{
    Callout, Callouts, Events, Firing, Key, Serializer, WaitQueue, Waiters, When, fire, serve_one,
};

loom::thread_local! {
    static WAITERS: RefCell<Waiters> = RefCell::new(Waiters::new());
    static CALLOUTS: RefCell<Callouts> = RefCell::new(Callouts::new());
}

// SAFETY: each loom thread plays one CPU.
#[allow(unsafe_code)]
unsafe impl<const EARLY: bool> Events for Model<EARLY> {
    fn waiters<R>(_: &Crit, _: Key, f: impl FnOnce(&mut Waiters) -> R) -> R {
        WAITERS.with(|own| f(&mut own.borrow_mut()))
    }

    fn callouts<R>(_: &Crit, _: Key, f: impl FnOnce(&mut Callouts) -> R) -> R {
        CALLOUTS.with(|own| f(&mut own.borrow_mut()))
    }

    fn set_deadline(crit: &Crit, deadline: Option<u64>) {
        let due = deadline.is_some_and(|deadline| deadline <= Self::now());
        set_due(crit, due.then_some(fire::<Self>));
    }

    fn drains_early() -> bool {
        EARLY
    }
}

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
            <Model>::relax(crit);
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

/// The table of `Serializer`: one at a time is at the memory, and the third comes on when the second goes.
#[test]
fn serializer() {
    model::<Job, 3>(2, || {
        let one = &*leak(Serializer::<Model, _>::new(UnsafeCell::new(0)));
        let turn = move |cx: &mut MayBlock| one.enter(cx).with_mut(|_| ());
        [Box::new(turn), Box::new(turn), Box::new(turn)]
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
    crit(|crit| Model::<false>::wake(crit, thread_of(cpu)));
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
