//! Groups: a port that spreads its messages over others.

use core::fmt;
use core::marker::PhantomData;

use percpu::Crit;
use percpu::sync::{AtomicUsize, Ordering};

use crate::raw::Slot;
use crate::{Body, Error, Exec, Offered, Outcome, Port};

/// How a group chooses the member for a message.
pub trait Rule<B: Body>: Sync + 'static {
    /// A number; the member of that place gets the message, or the next one that there is.
    fn choose(&self, crit: &Crit, body: &B) -> usize;
}

/// Each member in turn. Two CPUs that send at the same moment may choose the same: an uneven turn costs less than a
/// locked instruction.
#[derive(Debug, Default)]
pub struct InTurn(AtomicUsize);

impl InTurn {
    percpu::maybe_const! {
        /// Begins with the first.
        pub fn new() -> Self {
            Self(AtomicUsize::new(0))
        }
    }
}

impl<B: Body> Rule<B> for InTurn {
    #[inline]
    fn choose(&self, _: &Crit, _: &B) -> usize {
        let turn = self.0.load(Ordering::Relaxed);
        self.0.store(turn.wrapping_add(1), Ordering::Relaxed);
        turn
    }
}

/// The member of the sender's CPU: what is sent from one CPU stays together, and no two CPUs share a word.
#[derive(Debug)]
pub struct ByCpu;

impl<B: Body> Rule<B> for ByCpu {
    #[inline]
    fn choose(&self, crit: &Crit, _: &B) -> usize {
        B::Exec::here(crit).index()
    }
}

/// What the body says: equal numbers go to one member, as long as it stays.
pub struct ByBody<B>(pub fn(&B) -> usize);

impl<B: Body> Rule<B> for ByBody<B> {
    #[inline]
    fn choose(&self, _: &Crit, body: &B) -> usize {
        (self.0)(body)
    }
}

/// A port that passes each message on to one of up to `N` others, its members, in the time of the sender. Any port can be a
/// member, of several groups too (fan-in): a thread behind several ports waits with a [`PortSet`](crate::PortSet).
///
/// Members come and go while others send. A message that was on its way to one that has left still goes there: a port is
/// for ever, and answers `Closed` if nobody receives at it. With no member the group itself does.
pub struct Group<B: Body, P: Port<B>, R: Rule<B>, const N: usize> {
    members: [Slot<P>; N],
    rule: R,
    body: PhantomData<fn(B)>,
}

impl<B: Body, P: Port<B>, R: Rule<B>, const N: usize> Group<B, P, R, N> {
    percpu::maybe_const! {
        /// A group without members.
        pub fn new(rule: R) -> Self {
            const { assert!(N > 0, "a group has room for a member") }
            Self { members: percpu::array_of![Slot::new(); N], rule, body: PhantomData }
        }
    }

    /// Takes `port` in; its place, or `None` if there is none left.
    pub fn join(&self, port: &'static P) -> Option<usize> {
        self.members.iter().position(|slot| slot.fill(port))
    }

    /// Lets the member at `place` go, which is answered.
    pub fn leave(&self, place: usize) -> Option<&'static P> {
        self.members.get(place)?.empty()
    }
}

impl<B: Body, P: Port<B>, R: Rule<B>, const N: usize> Port<B> for Group<B, P, R, N> {
    #[track_caller]
    #[inline]
    fn put<'m>(&'static self, message: Offered<'m, B>) -> Outcome<'m, B> {
        let first = B::Exec::crit(|crit| self.rule.choose(crit, message.body())) % N;
        let (before, after) = self.members.split_at(first);
        match after.iter().chain(before).find_map(Slot::get) {
            Some(port) => port.put(message),
            None => message.refuse(Error::Closed),
        }
    }
}

impl<B: Body, P: Port<B>, R: Rule<B>, const N: usize> fmt::Debug for Group<B, P, R, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").finish_non_exhaustive()
    }
}

impl<B> fmt::Debug for ByBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByBody")
    }
}
