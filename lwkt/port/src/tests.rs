//! Ports over the machine of simulated CPUs, in many orders.

mod abort;
mod claims;
mod kinds;
mod moves;
mod orders;
mod published;
mod single;
mod spin;

use lwkt_events::{Grace, Key, Sections};
use lwkt_sched::{MayBlock, ThreadRef, Why, sim};
use percpu::{CpuId, Crit};

use crate::{Body, Exec, Handler, Message, Offered, Outcome, Owned};

/// The simulated kernel.
enum Sim {}

// SAFETY: `sim` does what each function says; it is the test double of the kernel.
#[allow(unsafe_code)]
unsafe impl Exec for Sim {
    fn crit<R>(f: impl FnOnce(&Crit) -> R) -> R {
        sim::crit(f)
    }

    /// A point at which others may come between, also within a critical section.
    fn here(_: &Crit) -> CpuId {
        shuttle::thread::yield_now();
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

    fn relax(_: &Crit) {
        shuttle::thread::yield_now();
    }
}

// SAFETY: as above; `sim` keeps what it lends for each CPU apart.
#[allow(unsafe_code)]
unsafe impl Grace for Sim {
    fn sections<R>(crit: &Crit, _: Key, f: impl FnOnce(&mut Sections) -> R) -> R {
        sim::own(crit, f)
    }
}

/// A number to be doubled; the receiver also notes in the body that it saw it.
#[derive(Debug, Default)]
struct Double {
    number: u64,
    seen: bool,
}

impl Body for Double {
    type Reply = u64;
    type Exec = Sim;
}

fn message(number: u64) -> Message<Double> {
    Message::new(Double { number, seen: false })
}

fn owned(number: u64) -> Owned<Double> {
    Owned::new(leak(message(number)))
}

fn leak<T>(value: T) -> &'static mut T {
    std::boxed::Box::leak(std::boxed::Box::new(value))
}

/// Doubles in the caller.
struct Doubler;

impl Handler<Double> for Doubler {
    fn handle<'m>(&self, mut message: Offered<'m, Double>) -> Outcome<'m, Double> {
        message.body_mut().seen = true;
        let twice = message.body().number * 2;
        message.done(twice)
    }
}

fn explore(cpus: usize, runs: usize, main: impl Fn(&mut MayBlock) + Send + Sync + 'static) {
    let main = std::sync::Arc::new(main);
    shuttle::check_random(
        move || {
            let main = main.clone();
            sim::run(cpus, move |cx| main(cx));
        },
        runs,
    );
}
