//! Run queues: the policy of who is next, behind one trait so that another can be tried.
//!
//! Law of every policy: the running thread stays in the queue, first among its equals, until it leaves the CPU for
//! good; the idle thread is always in the queue, so that there always is a best one. A policy decides about threads
//! of its own CPU alone. Another policy is another file here and one type parameter of `Scheduler`.

mod bitmap;
mod list;

pub use bitmap::Bitmap;
pub use list::List;

use crate::ThreadRef;

/// Who is next.
pub trait RunQueue: Sized {
    /// A queue of the idle thread alone.
    fn new(idle: ThreadRef) -> Self;

    /// `thread` is ready: it goes last among its equals.
    fn push(&mut self, thread: ThreadRef);

    /// `thread`, which runs, is put (back) first among its equals.
    fn push_first(&mut self, thread: ThreadRef);

    /// `running` gives way to its equals: it goes last among them.
    fn rotate(&mut self, running: ThreadRef);

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

    /// Whether what the policy keeps beside the threads' order agrees with it.
    fn sound(&self) -> bool;
}
