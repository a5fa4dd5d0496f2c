//! The owner of a port set: who adds and removes members, and waits.

use core::fmt;
use core::marker::PhantomData;

use lwkt_sched::{MayBlock, Reason, Why};
use percpu::Crit;
use percpu::sync::Ordering;

use super::{Entry, PortSet, leave};
use crate::raw::NotSend;
use crate::{Body, Exec, Replies, Server};

/// What can be in a [`PortSet`]: where messages queue for its owner, [`Server`] and [`Replies`].
pub trait Member {
    /// The kernel that it is of.
    type Exec: Exec;

    /// It, as its set sees it.
    fn seat(&self) -> Seat<Self::Exec>;
}

/// A member as its set sees it.
pub struct Seat<X: Exec>(Entry<X>);

impl<B: Body> Member for Server<B> {
    type Exec = B::Exec;

    fn seat(&self) -> Seat<B::Exec> {
        Seat(self.mailbox())
    }
}

impl<B: Body> Member for Replies<B> {
    type Exec = B::Exec;

    fn seat(&self) -> Seat<B::Exec> {
        Seat(self.mailbox())
    }
}

/// The right to wait with a [`PortSet`]. It stays with its thread, whose all members are; dropped, the set is empty.
pub struct Watcher<X: Exec> {
    set: &'static PortSet<X>,
    thread: NotSend,
}

impl<X: Exec> Watcher<X> {
    pub(super) fn of(set: &'static PortSet<X>) -> Self {
        Self { set, thread: PhantomData }
    }

    /// Takes a member in, out of the set that it may be in; [`wait`](Self::wait) answers `key` when it has something.
    pub fn add(&mut self, member: &impl Member<Exec = X>, key: usize) {
        let Seat(entry) = member.seat();
        X::crit(|crit| {
            leave(crit, entry);
            let next = self.set.state.with(crit, |state| state.members.replace(entry));
            entry.link().with(crit, |link| {
                (link.set, link.key, link.next) = (Some(self.set), key, next);
            });
            // What it has already is found by looking.
            self.set.append(crit, entry);
        });
    }

    /// Lets a member go.
    pub fn remove(&mut self, member: &impl Member<Exec = X>) {
        let Seat(entry) = member.seat();
        X::crit(|crit| {
            if entry
                .link()
                .with(crit, |link| link.set.is_some_and(|set| core::ptr::eq(set, self.set)))
            {
                self.set.remove(crit, entry);
            }
        });
    }

    /// The key of a member that has something, if one has; each in turn.
    pub fn poll(&mut self) -> Option<usize> {
        X::crit(|crit| self.set.first(crit))
    }

    /// The key of a member that has something, each in turn; waits for it. `None`: there is no member.
    pub fn wait(&mut self, cx: &mut MayBlock) -> Option<usize> {
        let set = self.set;
        self.next(|crit| {
            X::block(crit, cx, Why::on(Reason::Ports, set));
            Some(())
        })
    }

    /// As [`wait`](Self::wait), until `deadline`, in nanoseconds as [`Exec::now`] counts. `None`: there was nothing in time,
    /// or there is no member.
    pub fn wait_until(&mut self, cx: &mut MayBlock, deadline: u64) -> Option<usize> {
        let set = self.set;
        self.next(|crit| {
            (X::now() < deadline)
                .then(|| X::block_until(crit, cx, Why::on(Reason::Ports, set), deadline))
        })
    }

    fn next(&mut self, mut block: impl FnMut(&Crit) -> Option<()>) -> Option<usize> {
        let waiting = |crit: &Crit, waiting| {
            self.set.state.with(crit, |state| state.waiting = waiting);
        };
        X::crit(|crit| {
            loop {
                let first = self.set.first(crit);
                if first.is_some() || self.set.state.with(crit, |state| state.members.is_none()) {
                    return first;
                }
                waiting(crit, true);
                let goes_on = block(crit);
                waiting(crit, false);
                goes_on?;
            }
        })
    }
}

impl<X: Exec> Drop for Watcher<X> {
    fn drop(&mut self) {
        X::crit(|crit| {
            while let Some(entry) = self.set.state.with(crit, |state| state.members) {
                self.set.remove(crit, entry);
            }
        });
        // Pairs with: `claim`, acquire.
        self.set.claimed.store(false, Ordering::Release);
    }
}

impl<X: Exec> fmt::Debug for Watcher<X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").finish_non_exhaustive()
    }
}

impl<X: Exec> fmt::Debug for Seat<X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").finish_non_exhaustive()
    }
}
