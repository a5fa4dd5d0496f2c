//! Tests: each call by itself, all of them against a model, and several CPUs under shuttle.

mod fair;
mod law;
mod limit;
mod model;
mod orders;
mod preempt;
mod single;

use std::boxed::Box;

use percpu::{CpuId, Crit};

use crate::{
    Context, Life, Name, Priority, RunQueue, Scheduler, State, Thread, ThreadRef, Unstarted,
};

fn crit() -> Crit {
    // SAFETY: a test's schedulers are used by this host thread alone.
    #[allow(unsafe_code)]
    unsafe {
        Crit::assume()
    }
}

fn memory() -> Unstarted {
    Unstarted::new(Box::leak(Box::new(Thread::new())))
}

fn boot<Q: RunQueue>(cpu: usize) -> Scheduler<Q> {
    boot_with(cpu, || 0)
}

fn boot_with<Q: RunQueue>(cpu: usize, clock: fn() -> u64) -> Scheduler<Q> {
    let mut idle = memory();
    idle.prepare(Name::new("idle"), Priority::BACKGROUND, Life::Detached, Context::default());
    // SAFETY: the test makes one scheduler for each CPU that it names.
    #[allow(unsafe_code)]
    unsafe {
        Scheduler::new(CpuId::at(cpu), idle, clock)
    }
}

fn thread(name: &str, priority: u8, life: Life) -> Unstarted {
    let mut thread = memory();
    thread.prepare(
        Name::new(name),
        Priority::new(priority).unwrap(),
        life,
        Context { sp: 1, ip: 2 },
    );
    thread
}

fn spawn<Q: RunQueue>(own: &mut Scheduler<Q>, name: &str, priority: u8) -> ThreadRef {
    own.spawn(&crit(), thread(name, priority, Life::Detached))
}

fn state<Q: RunQueue>(own: &Scheduler<Q>, thread: ThreadRef) -> State {
    own.threads().find(|one| one.thread == thread).map_or(State::Unstarted, |one| one.state)
}
