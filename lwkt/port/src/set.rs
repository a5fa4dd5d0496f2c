//! Port sets: waiting at many ports costs as much as there is to get, not as there are ports.
//!
//! Context law: a set and the mailboxes in it belong to one thread, and are touched on its home CPU alone.

use core::fmt;

use lwkt_sched::MayBlock;
use percpu::Crit;
use percpu::sync::{AtomicBool, Ordering};

use crate::mailbox::Mailbox;
use crate::raw::Home;
use crate::{Body, Exec};

pub use self::watcher::{Member, Seat, Watcher};

mod watcher;

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
    percpu::maybe_const! {
        /// A set that belongs to nobody yet.
        pub fn new() -> Self {
            let state = State { members: None, ready: None, waiting: false };
            Self { claimed: AtomicBool::new(false), state: Home::new(state) }
        }
    }

    /// The running thread waits with it from now on. `None` if a thread does so already.
    pub fn claim(&'static self, _: &mut MayBlock) -> Option<Watcher<X>> {
        // Pairs with: `Watcher::drop`, release: the last owner's accesses are over.
        let taken = self.claimed.swap(true, Ordering::Acquire);
        (!taken).then_some(Watcher::of(self))
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
