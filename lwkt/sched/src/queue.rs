//! Run queues: the policy of who is next, behind one trait so that another can be tried.
//!
//! Law of every policy, which `tests/law.rs` holds each of the table below to: every ready thread of the CPU is in the
//! queue once, and the idle thread always, so that there is a best one; the idle thread is best only when it is alone. The running
//! thread stays in the queue, and is visited before its equals, until it leaves the CPU for good. A policy decides about threads
//! of its own CPU alone.
//!
//! No law, but what the policies here promise: better threads go first, and equals take turns.
//!
//! Another policy is another file here and one line of the table; `./x bench --set runq=NAME` builds the kernel with it and
//! measures.

use crate::ThreadRef;

/// Who is next.
pub trait RunQueue: Sized {
    /// A queue of the idle thread alone. `clock` counts time on this CPU, in a unit of its own, for who wants to know.
    fn new(idle: ThreadRef, clock: fn() -> u64) -> Self;

    /// `thread` is ready: it goes behind the running thread, if they are equals; with the policies here, last among its equals.
    fn push(&mut self, thread: ThreadRef);

    /// `thread`, which runs, is put (back) first among its equals.
    fn push_first(&mut self, thread: ThreadRef);

    /// `running`, which is first among its equals, leaves.
    fn pop(&mut self, running: ThreadRef);

    /// `thread` leaves, wherever it is.
    fn remove(&mut self, thread: ThreadRef);

    /// The thread that should run.
    fn best(&self) -> ThreadRef;

    /// Whether another thread would run if `running` gave way.
    fn contended(&self, running: ThreadRef) -> bool;

    /// Calls `visit` with each thread in the queue, best first.
    fn visit(&self, visit: impl FnMut(ThreadRef));

    /// `running` gives way to its equals: it goes last among them. Also asked of the idle thread, which has none, and stays.
    #[inline(always)]
    fn rotate(&mut self, running: ThreadRef) {
        self.pop(running);
        self.push(running);
    }

    /// A tick has passed while `running` ran: whether it should give way as soon as it can.
    fn tick(&mut self, running: ThreadRef) -> bool {
        self.contended(running)
    }

    /// The CPU goes from one thread to another.
    #[inline(always)]
    fn switched(&mut self, from: ThreadRef, to: ThreadRef) {
        let _ = (from, to);
    }

    /// Whether what the policy keeps beside the threads' order agrees with it.
    fn sound(&self) -> bool {
        true
    }
}

percpu::variants! {
    /// The policies, by name; the first is the default.
    DAMSELFLY_RUNQ as RunQueue:
    bitmap: Bitmap,
    list: List,
    fair: Fair,
}
