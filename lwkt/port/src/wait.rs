//! Waiting for whichever comes first.

use lwkt_sched::{MayBlock, Reason, Why};
use percpu::Crit;

use crate::{Aborting, Body, Exec, Replies, Sent, Server};

/// What a thread can wait for together with others: its ports, and its messages on their way.
pub trait Source {
    /// The kernel that it is of.
    type Exec: Exec;

    /// Whether there is something to get.
    fn ready(&self, crit: &Crit) -> bool;

    /// Whether the thread is to be woken when there is.
    fn watch(&self, crit: &Crit, waiting: bool);
}

impl<B: Body> Source for Server<B> {
    type Exec = B::Exec;

    fn ready(&self, crit: &Crit) -> bool {
        self.mailbox().ready(crit)
    }

    fn watch(&self, crit: &Crit, waiting: bool) {
        self.mailbox().watch(crit, waiting);
    }
}

impl<B: Body> Source for Replies<B> {
    type Exec = B::Exec;

    fn ready(&self, crit: &Crit) -> bool {
        self.mailbox().ready(crit)
    }

    fn watch(&self, crit: &Crit, waiting: bool) {
        self.mailbox().watch(crit, waiting);
    }
}

impl<B: Body> Source for Sent<B> {
    type Exec = B::Exec;

    fn ready(&self, _: &Crit) -> bool {
        self.is_done()
    }

    fn watch(&self, _: &Crit, waiting: bool) {
        self.raw().message().waiting.set(waiting);
    }
}

impl<B: Body> Source for Aborting<B> {
    type Exec = B::Exec;

    fn ready(&self, _: &Crit) -> bool {
        self.raw().message().is_back()
    }

    fn watch(&self, _: &Crit, waiting: bool) {
        self.raw().message().waiting.set(waiting);
    }
}

/// Waits until one of `sources` has something to get, and answers which: the first in their order.
pub fn wait_any<X: Exec, const N: usize>(
    cx: &mut MayBlock,
    sources: [&dyn Source<Exec = X>; N],
) -> usize {
    const { assert!(N > 0, "waiting for nothing would not end") }
    X::crit(|crit| {
        loop {
            if let Some(first) = sources.iter().position(|source| source.ready(crit)) {
                sources.iter().for_each(|source| source.watch(crit, false));
                return first;
            }
            sources.iter().for_each(|source| source.watch(crit, true));
            X::block(crit, cx, Why::on(Reason::Ports, sources[0]));
        }
    })
}

/// As [`wait_any`], until `deadline`, in nanoseconds as [`Exec::now`] counts. `None`: nothing came in time.
pub fn wait_any_until<X: Exec, const N: usize>(
    cx: &mut MayBlock,
    sources: [&dyn Source<Exec = X>; N],
    deadline: u64,
) -> Option<usize> {
    X::crit(|crit| {
        loop {
            let first = sources.iter().position(|source| source.ready(crit));
            if first.is_some() || X::now() >= deadline {
                sources.iter().for_each(|source| source.watch(crit, false));
                return first;
            }
            sources.iter().for_each(|source| source.watch(crit, true));
            let why = sources.first().map_or(Why::SLEEP, |first| Why::on(Reason::Ports, *first));
            X::block_until(crit, cx, why, deadline);
        }
    })
}
