//! Whole scenarios over the machine of simulated CPUs, in many orders. A lost wake is a deadlock, and shuttle says so.

mod callouts;
mod lists;
mod queues;
mod serializers;

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::boxed::Box;

use lwkt_sched::{Exec, MayBlock, ThreadRef, Why, sim};
use percpu::{CpuId, Crit};

use crate::{Callouts, Events, Key, Waiters, fire, serve_one};

/// The simulated kernel; `EARLY` has the bug on purpose.
enum Sim<const EARLY: bool = false> {}

// SAFETY: `sim` does what each function says; it is the test double of the kernel.
#[allow(unsafe_code)]
unsafe impl<const EARLY: bool> Exec for Sim<EARLY> {
    fn crit<R>(f: impl FnOnce(&Crit) -> R) -> R {
        sim::crit(f)
    }

    fn here(_: &Crit) -> CpuId {
        sim::here()
    }

    fn current(_: &Crit) -> ThreadRef {
        sim::current()
    }

    fn call(crit: &Crit, to: CpuId, func: fn(&Crit, usize, usize, usize), args: [usize; 3]) {
        sim::call(crit, to, func, args);
    }

    fn wake(crit: &Crit, thread: ThreadRef) {
        sim::wake(crit, thread);
    }

    fn block(crit: &Crit, cx: &mut MayBlock, why: Why) {
        sim::block_in(crit, cx, why);
    }

    fn block_until(crit: &Crit, cx: &mut MayBlock, why: Why, deadline: u64) {
        sim::sleep_in(crit, cx, why, deadline);
    }

    fn now() -> u64 {
        sim::now()
    }

    fn relax(crit: &Crit) {
        sim::relax(crit);
    }
}

// SAFETY: as above; `sim` keeps what it lends for each CPU apart.
#[allow(unsafe_code)]
unsafe impl<const EARLY: bool> Events for Sim<EARLY> {
    fn waiters<R>(crit: &Crit, _: Key, f: impl FnOnce(&mut Waiters) -> R) -> R {
        sim::own(crit, f)
    }

    fn callouts<R>(crit: &Crit, _: Key, f: impl FnOnce(&mut Callouts) -> R) -> R {
        sim::own(crit, f)
    }

    fn set_deadline(crit: &Crit, deadline: Option<u64>) {
        sim::set_alarm(crit, deadline, fire::<Self>);
    }

    fn drains_early() -> bool {
        EARLY
    }
}

fn leak<T>(value: T) -> &'static mut T {
    Box::leak(Box::new(value))
}

/// Runs a callout thread on each CPU until `stop` says so, which a callout's handler sets last of all.
fn serve<const EARLY: bool>(cpu: usize, stop: &'static AtomicBool) -> sim::Handle {
    sim::spawn_with(cpu, lwkt_sched::Priority::SOFT, "callouts", move |cx| {
        while !stop.load(Relaxed) {
            serve_one::<Sim<EARLY>>(cx);
        }
    })
}

fn explore(cpus: usize, runs: usize, main: impl Fn(&mut MayBlock) + Send + Sync + 'static) {
    let main = std::sync::Arc::new(main);
    shuttle::check_random(
        move || {
            let main = main.clone();
            sim::run(cpus, move |cx| main(cx));
        },
        if cfg!(miri) { 1 } else { runs },
    );
}
