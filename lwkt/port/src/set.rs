//! Port sets: waiting at many ports costs as much as there is to get, not as there are ports.
//!
//! Context law: a set and the mailboxes in it belong to one thread, and are touched on its home CPU alone.

use core::fmt;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicBool, Ordering};

use lwkt_sched::{MayBlock, Reason, Why};
use percpu::Crit;

use crate::mailbox::Mailbox;
use crate::raw::{Home, NotSend};
use crate::{Body, Exec, Replies, Server};

/// A mailbox as its set sees it.
pub(crate) trait Listed<X: Exec>: Sync {
    fn ready(&self, crit: &Crit) -> bool;
    fn watch_for_set(&self, crit: &Crit);
    fn unwatch_for_set(&self, crit: &Crit);
    fn link(&self) -> &Home<Link<X>>;
}

type Entry<X> = &'static dyn Listed<X>;

fn is<X: Exec>(one: Entry<X>, other: Entry<X>) -> bool {
    core::ptr::addr_eq(one, other)
}

/// What a mailbox knows of its set.
pub(crate) struct Link<X: Exec> {
    set: Option<&'static PortSet<X>>,
    key: usize,
    next: Option<Entry<X>>,
    surfaced: bool,
    next_ready: Option<Entry<X>>,
}

impl<X: Exec> Link<X> {
    pub const NONE: Self =
        Self { set: None, key: 0, next: None, surfaced: false, next_ready: None };
}

/// Ports and reply ports of a thread, which waits for whichever has something first.
///
/// ```text
///   in the set, empty  --(message: `surface`)-->  at the end of the ready list
///         ^                                            |   |  ^
///         +-- found empty by `wait`: watched again ----+   +--+ found with a message: its key, and to the end
/// ```
pub struct PortSet<X: Exec> {
    claimed: AtomicBool,
    state: Home<State<X>>,
}

struct State<X: Exec> {
    members: Option<Entry<X>>,
    ready: Option<(Entry<X>, Entry<X>)>,
    waiting: bool,
}

impl<X: Exec> PortSet<X> {
    /// A set that belongs to nobody yet.
    pub const fn new() -> Self {
        let state = State { members: None, ready: None, waiting: false };
        Self { claimed: AtomicBool::new(false), state: Home::new(state) }
    }

    /// The running thread waits with it from now on. `None` if a thread does so already.
    pub fn claim(&'static self, _: &mut MayBlock) -> Option<Watcher<X>> {
        // Pairs with: `Watcher::drop`, release: the last owner's accesses are over.
        let taken = self.claimed.swap(true, Ordering::Acquire);
        (!taken).then_some(Watcher { set: self, thread: PhantomData })
    }

    /// Puts a mailbox at the end of the ready list.
    fn append(&'static self, crit: &Crit, entry: Entry<X>) {
        entry.link().with(crit, |link| (link.surfaced, link.next_ready) = (true, None));
        self.state.with(crit, |state| {
            state.ready = Some(match state.ready {
                None => (entry, entry),
                Some((first, last)) => {
                    last.link().with(crit, |link| link.next_ready = Some(entry));
                    (first, entry)
                }
            });
        });
    }

    /// Takes the first mailbox off the ready list.
    fn pop(&'static self, crit: &Crit) -> Option<Entry<X>> {
        self.state.with(crit, |state| {
            let (first, last) = state.ready?;
            let next = first.link().with(crit, |link| {
                link.surfaced = false;
                link.next_ready.take()
            });
            state.ready = next.map(|next| (next, last));
            Some(first)
        })
    }

    /// The key of the first mailbox that has something, which goes to the end; those before it that have nothing are
    /// watched again.
    fn first(&'static self, crit: &Crit) -> Option<usize> {
        loop {
            let entry = self.pop(crit)?;
            if entry.ready(crit) {
                self.append(crit, entry);
                return Some(entry.link().with(crit, |link| link.key));
            }
            entry.watch_for_set(crit);
        }
    }

    fn remove(&'static self, crit: &Crit, entry: Entry<X>) {
        entry.unwatch_for_set(crit);
        let (next, surfaced) = entry.link().with(crit, |link| {
            link.set = None;
            (link.next.take(), link.surfaced)
        });
        if surfaced {
            // Once around: all but this one to the end again.
            let last = self.state.with(crit, |state| state.ready.map(|(_, last)| last));
            while let Some(one) = self.pop(crit) {
                if !is(one, entry) {
                    self.append(crit, one);
                }
                if last.is_none_or(|last| is(one, last)) {
                    break;
                }
            }
        }
        self.state.with(crit, |state| {
            let Some(mut at) = state.members else { return };
            if is(at, entry) {
                state.members = next;
                return;
            }
            while let Some(one) = at.link().with(crit, |link| link.next) {
                if is(one, entry) {
                    return at.link().with(crit, |link| link.next = next);
                }
                at = one;
            }
        });
    }
}

/// A message has come into a mailbox that a set waits for; whether its owner, who is the set's, waits with the set.
pub(crate) fn surface<X: Exec>(crit: &Crit, entry: Entry<X>) -> bool {
    let Some(set) = entry.link().with(crit, |link| link.set) else { return false };
    set.append(crit, entry);
    set.state.with(crit, |state| core::mem::take(&mut state.waiting))
}

/// A mailbox leaves the set that it is in, if it is in one.
pub(crate) fn leave<X: Exec>(crit: &Crit, entry: Entry<X>) {
    if let Some(set) = entry.link().with(crit, |link| link.set) {
        set.remove(crit, entry);
    }
}

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

impl<B: Body> Listed<B::Exec> for Mailbox<B> {
    fn ready(&self, crit: &Crit) -> bool {
        self.ready(crit)
    }

    fn watch_for_set(&self, crit: &Crit) {
        self.watch_for_set(crit);
    }

    fn unwatch_for_set(&self, crit: &Crit) {
        self.unwatch_for_set(crit);
    }

    fn link(&self) -> &Home<Link<B::Exec>> {
        &self.link
    }
}

/// The right to wait with a [`PortSet`]. It stays with its thread, whose all members are; dropped, the set is empty.
pub struct Watcher<X: Exec> {
    set: &'static PortSet<X>,
    thread: NotSend,
}

impl<X: Exec> Watcher<X> {
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

impl<X: Exec> Default for PortSet<X> {
    fn default() -> Self {
        Self::new()
    }
}

impl<X: Exec> fmt::Debug for PortSet<X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortSet").finish_non_exhaustive()
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
