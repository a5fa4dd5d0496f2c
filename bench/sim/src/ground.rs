//! Where the simulator gives its word for what the pure crates ask of a kernel. The only unsafe code of this crate.
//!
//! All virtual CPUs are played by one thread of the host, one event after the other, and a CPU's parts are reached only
//! while it is the one whose event it is. That is every critical section, every "own CPU", and every single producer.
#![allow(unsafe_code)]

use std::cell::Cell;

use ipiq::{Call, Ring};
use lwkt_sched::{
    Context, Life, Name, Priority, RunQueue, Scheduler, Thread, ThreadRef, Unstarted,
};
use percpu::{CpuId, Crit};

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
    static LANDED: Cell<[usize; 3]> = const { Cell::new([0; 3]) };
}

/// The critical section of the CPU whose event it is.
pub fn crit() -> Crit {
    // SAFETY: the head of this module.
    unsafe { Crit::assume() }
}

/// The clock of the CPU whose event it is.
pub fn now() -> u64 {
    NOW.get()
}

/// Sets it.
pub fn set_now(now: u64) {
    NOW.set(now);
}

fn memory() -> Unstarted {
    // A thread's memory is a thread for ever: what a run leaves is small, and so are the runs of a process.
    Unstarted::new(Box::leak(Box::new(Thread::new())))
}

/// The scheduler of a CPU of a machine that boots.
pub fn scheduler<Q: RunQueue>(cpu: CpuId) -> Scheduler<Q> {
    let mut idle = memory();
    idle.prepare(Name::new("idle"), Priority::BACKGROUND, Life::Detached, Context::default());
    // SAFETY: a machine makes one for each of its CPUs.
    unsafe { Scheduler::new(cpu, idle, now) }
}

/// A thread that is number `index` of its machine.
pub fn thread(name: &str, priority: Priority, index: usize) -> Unstarted {
    let mut thread = memory();
    thread.prepare(Name::new(name), priority, Life::Detached, Context::default());
    thread.set_ext(index);
    thread
}

/// The number of a thread that is no idle thread.
pub fn index_of(thread: ThreadRef) -> usize {
    // SAFETY: the head of this module: this is its home CPU.
    unsafe { thread.ext() }
}

/// A ring between two CPUs, and words instead of calls.
#[derive(Default)]
pub struct Link(Box<Ring>);

fn land(_: &Crit, a: usize, b: usize, c: usize) {
    LANDED.set([a, b, c]);
}

impl Link {
    /// Puts words in; false if there is no room.
    pub fn push(&self, words: [usize; 3]) -> bool {
        // SAFETY: the head of this module: one thing at a time.
        unsafe { self.0.push(&crit(), Call::new(land, words)) }.is_ok()
    }

    /// Takes the oldest words out.
    pub fn pop(&self) -> Option<[usize; 3]> {
        // SAFETY: as above.
        let call = unsafe { self.0.pop(&crit()) }?;
        call.run(&crit());
        Some(LANDED.get())
    }
}
