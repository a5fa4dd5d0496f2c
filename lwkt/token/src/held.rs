//! A thread's list of tokens: what it holds while it runs, and takes again when it comes back.
//!
//! Context law: touched by its thread, and on its thread's CPU by who lets its tokens go when it has been left.
#![allow(unsafe_code)]

use core::cell::Cell;
use core::panic::Location;

use crate::Exec;
use crate::word::{Manners, Word};

/// The most tokens that a thread can hold at once.
pub const MAX: usize = 32;

/// How a token is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Alone.
    Exclusive,
    /// With others.
    Shared,
    /// Once more: an entry below has it.
    Again,
}

/// A token and how it is held: the kind is in the low bits of the address.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
struct Entry(*const Word);

const _: () = assert!(align_of::<Word>() > Kind::Again as usize);

impl Entry {
    #[inline(always)]
    fn new(word: &'static Word, kind: Kind) -> Self {
        Self(core::ptr::from_ref(word).map_addr(|address| address | kind as usize))
    }

    fn kind(self) -> Kind {
        match self.0.addr() & 3 {
            0 => Kind::Exclusive,
            1 => Kind::Shared,
            _ => Kind::Again,
        }
    }

    fn word(self) -> &'static Word {
        let word = self.0.map_addr(|address| address & !3);
        // SAFETY: made from a `&'static Word`; entries are read below the thread's number of tokens only.
        unsafe { &*word }
    }
}

/// In what order tokens are taken again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// As they were taken, with manners.
    Taken,
    /// By their addresses, and pressing.
    Address,
}

/// A thread's tokens, at [`Exec::AHEAD`](crate::Exec::AHEAD) bytes from the beginning of its memory. How many of the entries count is with the scheduler while the thread runs, else in `parked`.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Held {
    entries: [Cell<Entry>; MAX],
    parked: Cell<usize>,
    ahead: usize,
    #[cfg(debug_assertions)]
    places: [Cell<Option<&'static Location<'static>>>; MAX],
}

// SAFETY: see the context law: one CPU at a time touches it, and a thread goes to another by message.
unsafe impl Sync for Held {}
// SAFETY: as above.
unsafe impl Send for Held {}

impl Held {
    /// No tokens, of a thread of kernel `X`.
    pub const fn new<X: Exec>() -> Self {
        Self {
            entries: [const { Cell::new(Entry(core::ptr::null())) }; MAX],
            parked: Cell::new(0),
            ahead: X::AHEAD,
            #[cfg(debug_assertions)]
            places: [const { Cell::new(None) }; MAX],
        }
    }

    /// The address that stands for the thread in the words of tokens.
    fn id(&self) -> usize {
        core::ptr::from_ref(self).addr() - self.ahead
    }

    /// Notes a token as the thread's number `at`, which the caller has found to be below [`MAX`].
    #[inline(always)]
    #[track_caller]
    pub(crate) fn note(&self, at: usize, word: &'static Word, kind: Kind) {
        self.entries[at].set(Entry::new(word, kind));
        #[cfg(debug_assertions)]
        self.places[at].set(Some(Location::caller()));
    }

    /// How many the thread takes again when it comes back.
    pub fn parked(&self) -> usize {
        self.parked.get()
    }

    /// Lets go the first `count` tokens; the thread takes them again when it comes back.
    pub fn park(&self, count: usize) {
        self.parked.set(count);
        (0..count).rev().for_each(|at| self.give(at));
    }

    /// How and as which number a token is held, the first time.
    pub(crate) fn find(&self, count: usize, word: &Word) -> Option<(usize, Kind)> {
        let is = |at: &usize| core::ptr::eq(self.entries[*at].get().word(), word);
        (0..count).find(is).map(|at| (at, self.entries[at].get().kind()))
    }

    fn manners(count: usize, order: Order) -> Manners {
        if count == 1 && order == Order::Taken { Manners::Polite } else { Manners::Pressing }
    }

    fn take(&self, at: usize, count: usize, order: Order) -> bool {
        let entry = self.entries[at].get();
        match entry.kind() {
            Kind::Exclusive => entry.word().try_exclusive(self.id()),
            Kind::Shared => entry.word().try_shared(Self::manners(count, order)),
            Kind::Again => true,
        }
    }

    fn give(&self, at: usize) {
        let entry = self.entries[at].get();
        match entry.kind() {
            Kind::Exclusive if cfg!(feature = "plants") && !entry.word().is_of(self.id()) => {}
            Kind::Exclusive => {
                debug_assert!(entry.word().is_of(self.id()), "a token is let go that is not held");
                entry.word().give();
            }
            Kind::Shared => entry.word().give_shared(),
            Kind::Again => {}
        }
    }

    /// Tries to take number `count`, with all before it in hand.
    pub(crate) fn take_last(&self, count: usize) -> bool {
        self.take(count, count + 1, Order::Taken)
    }

    /// Whether the token of number `at` is worth a try.
    pub(crate) fn looks_free(&self, at: usize, count: usize) -> bool {
        let entry = self.entries[at].get();
        let shared = entry.kind() == Kind::Shared;
        entry.kind() == Kind::Again
            || entry.word().looks_free(shared, Self::manners(count, Order::Taken))
    }

    /// Tries to take the first `count` tokens, in this order: all, or none and the number of the one that is another's.
    /// `wait` says, for such a one, whether to try it again at once, with those before it in hand.
    pub(crate) fn take_all(
        &self,
        count: usize,
        order: Order,
        mut wait: impl FnMut(usize) -> bool,
    ) -> Result<(), usize> {
        let mut turn: [u8; MAX] = core::array::from_fn(|at| at as u8);
        let turn = &mut turn[..count];
        if order == Order::Address {
            // Stable: of one token, the entry that has it comes before those that have it again.
            let address = |at: u8| self.entries[usize::from(at)].get().0.addr() & !3;
            for end in 1..count {
                let mut at = end;
                while at > 0 && address(turn[at - 1]) > address(turn[at]) {
                    turn.swap(at - 1, at);
                    at -= 1;
                }
            }
        }
        for (taken, at) in turn.iter().map(|at| usize::from(*at)).enumerate() {
            while !self.take(at, count, order) {
                if !wait(at) {
                    turn[..taken].iter().rev().for_each(|at| self.give(usize::from(*at)));
                    return Err(at);
                }
            }
        }
        Ok(())
    }

    /// Loses the first token that is held exclusively, though the list has it.
    #[cfg(feature = "plants")]
    pub(crate) fn lose_one(&self, count: usize) {
        let exclusive = |at: &usize| self.entries[*at].get().kind() == Kind::Exclusive;
        if let Some(at) = (0..count).find(exclusive) {
            self.give(at);
        }
    }

    /// Where number `at` was taken, if this build knows.
    pub fn place(&self, at: usize) -> Option<&'static Location<'static>> {
        #[cfg(debug_assertions)]
        return self.places.get(at).and_then(Cell::get);
        #[cfg(not(debug_assertions))]
        {
            let _ = at;
            None
        }
    }
}
