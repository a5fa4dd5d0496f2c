//! Pending calls of one CPU process: fixed slots, ids that cannot be mistaken, one completion for each.
//!
//! ```text
//!            1 open              2 complete
//!   Free ------------> Waiting --------------> Free + one completion
//!    ^  5 withdraw,      | 3 abort                ^
//!    |  6 depart         v                        | 2
//!    +---------------- Waiting + aborting --------+
//! ```
//! Quota: slots in use plus completions not yet taken never exceed the slots of the completion ring, so that a
//! completion always has a place. An id carries its slot's generation: one kept too long meets [`Gone`], nothing else.

use core::mem::size_of;
use core::ops::DerefMut;

use abi::{AtExit, COMPLETION_SLOTS, Completion, Completions, Error, Failure};

use crate::{Later, Opened, Origin};

/// Most bytes that a pending call may take, its place in the completion ring included.
pub const MAX_PENDING_BYTES: usize = 128;
/// End of the free list.
const NONE: u16 = u16::MAX;

/// Names one pending call of a CPU process: slot below, generation above 16 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PendingId(u64);

impl PendingId {
    /// As a word of a message to another CPU.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// Back from a word; any word is safe, a wrong one is [`Gone`].
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    const fn index(self) -> usize {
        self.0 as u16 as usize
    }
}

/// The call is no more: it was completed, withdrawn, or departed with its process. Its result is to be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// A call in the table, and what its subsystem keeps about it.
#[derive(Clone, Copy, Debug)]
struct Call<D> {
    cookie: u64,
    origin: Origin,
    at_exit: AtExit,
    aborting: bool,
    detail: D,
}

/// A place for one pending call.
#[derive(Clone, Copy, Debug)]
pub struct Slot<D> {
    id: u64,
    call: Option<Call<D>>,
    next: u16,
}

impl<D> Slot<D> {
    /// An unused slot, as the storage of a new table is filled with.
    pub const EMPTY: Self = {
        assert!(
            size_of::<Self>() + size_of::<Completion>() <= MAX_PENDING_BYTES,
            "a pending call would take too much memory"
        );
        Self { id: 0, call: None, next: NONE }
    };
}

/// A call that has just been completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done<D> {
    /// What it was.
    pub origin: Origin,
    /// What the subsystem kept about it.
    pub detail: D,
    /// Number of its completion, counted from 0.
    pub number: u64,
}

/// A call that leaves with its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departing<D> {
    /// Its id, known to the subsystem; from now on [`Gone`].
    pub id: PendingId,
    /// What it was.
    pub origin: Origin,
    /// [`AtExit::Cancel`]: make the subsystem forget it. [`AtExit::Orphan`]: let it go on.
    pub fate: AtExit,
    /// What the subsystem kept about it.
    pub detail: D,
}

/// The pending calls of one CPU process. `D` is what the kernel keeps about each, `S` owns the slots.
#[derive(Debug)]
pub struct Pending<D, S> {
    slots: S,
    free: u16,
    used: u16,
    departing: bool,
    cursor: usize,
    produced: u64,
    seen: u64,
    detail: core::marker::PhantomData<D>,
}

impl<D: Copy, S: DerefMut<Target = [Slot<D>]>> Pending<D, S> {
    /// A table in `slots`, all [`Slot::EMPTY`]: at most as many as a completion ring has.
    ///
    /// # Panics
    /// When there are more slots than that.
    #[must_use]
    pub fn new(mut slots: S) -> Self {
        assert!(slots.len() <= COMPLETION_SLOTS, "a completion could be lost");
        let count = slots.len();
        for (index, slot) in slots.iter_mut().enumerate() {
            slot.id = index as u64;
            slot.call = None;
            slot.next = if index + 1 < count { index as u16 + 1 } else { NONE };
        }
        let free = if count == 0 { NONE } else { 0 };
        Self {
            slots,
            free,
            used: 0,
            departing: false,
            cursor: 0,
            produced: 0,
            seen: 0,
            detail: core::marker::PhantomData,
        }
    }

    /// Calls that are pending.
    #[must_use]
    pub fn len(&self) -> usize {
        self.used.into()
    }

    /// Is no call pending?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Completions produced so far: what the wait entry compares with the caller's `seen`.
    #[must_use]
    pub fn produced(&self) -> u64 {
        self.produced
    }

    /// Edge 1: gives the call a slot. `seen` reads how many completions the layer says it has taken; it is asked only
    /// when the quota looks used up, and believed only where it makes sense.
    pub fn open(
        &mut self,
        later: Later,
        detail: D,
        seen: impl FnOnce() -> u64,
    ) -> Result<Opened, Failure> {
        if !later.may_wait {
            return Err(Failure::new(Error::WouldBlock));
        }
        if self.departing {
            return Err(Failure::new(Error::Exiting));
        }
        if self.outstanding() >= self.slots.len() as u64 {
            let claimed = seen();
            if claimed <= self.produced {
                self.seen = claimed;
            }
            if self.outstanding() >= self.slots.len() as u64 {
                return Err(Failure::new(Error::Busy));
            }
        }
        let slot = &mut self.slots[usize::from(self.free)];
        self.free = slot.next;
        self.used += 1;
        let Later { cookie, origin, at_exit, .. } = later;
        slot.call = Some(Call { cookie, origin, at_exit, aborting: false, detail });
        Ok(Opened(PendingId(slot.id)))
    }

    /// Edge 5: takes a slot back from a call that its handler then refused or answered after all.
    pub fn withdraw(&mut self, opened: Opened) -> Result<D, Gone> {
        self.take(opened.0).map(|call| call.detail)
    }

    /// What the subsystem keeps about a pending call.
    pub fn detail(&mut self, id: PendingId) -> Result<&mut D, Gone> {
        self.find(id).map(|call| &mut call.detail)
    }

    /// Edge 2: publishes the one completion of the call. A second attempt meets [`Gone`].
    pub fn complete(
        &mut self,
        id: PendingId,
        outcome: Result<[u64; 2], Failure>,
        pages: &Completions,
    ) -> Result<Done<D>, Gone> {
        let call = self.take(id)?;
        let (status, [value, value2]) = match outcome {
            Ok(values) => (abi::ANSWERED, values),
            Err(failure) => (failure.status(), [failure.detail, 0]),
        };
        let number = self.produced;
        pages.publish(number, &Completion { cookie: call.cookie, status, value, value2 });
        self.produced += 1;
        Ok(Done { origin: call.origin, detail: call.detail, number })
    }

    /// Edge 3: finds a call by its sender's cookie and marks it. The subsystem is then asked to give it up and completes it as
    /// always, with `Cancelled` or with a result that was quicker. A call already marked is not found again.
    pub fn abort(&mut self, cookie: u64) -> Result<(PendingId, D), Failure> {
        if self.used != 0 {
            for slot in self.slots.iter_mut() {
                if let Some(call) = slot.call.as_mut()
                    && call.cookie == cookie
                    && !call.aborting
                {
                    call.aborting = true;
                    return Ok((PendingId(slot.id), call.detail));
                }
            }
        }
        Err(Failure::new(Error::NotFound))
    }

    /// Edge 6, at exit: takes the next call that does not hold the exit up. From the first of these on, no call is opened.
    /// `None`: what is left, [`Pending::len`] calls, has to complete first.
    pub fn depart(&mut self) -> Option<Departing<D>> {
        self.departing = true;
        let leaves = |slot: &Slot<D>| {
            let call = slot.call.as_ref();
            call.is_some_and(|call| call.at_exit != AtExit::Complete)
        };
        let from = self.cursor;
        self.cursor = self.slots.len();
        let found = self.slots[from..].iter().position(leaves)?;
        self.cursor = from + found + 1;
        let id = PendingId(self.slots[from + found].id);
        let call = self.take(id).ok()?;
        Some(Departing { id, origin: call.origin, fate: call.at_exit, detail: call.detail })
    }

    /// Calls in slots, and completions that the layer may not have taken.
    fn outstanding(&self) -> u64 {
        u64::from(self.used) + (self.produced - self.seen)
    }

    fn find(&mut self, id: PendingId) -> Result<&mut Call<D>, Gone> {
        let slot = self.slots.get_mut(id.index()).ok_or(Gone)?;
        if slot.id == id.0 { slot.call.as_mut().ok_or(Gone) } else { Err(Gone) }
    }

    /// Empties a slot; from then on its id is another.
    fn take(&mut self, id: PendingId) -> Result<Call<D>, Gone> {
        let call = *self.find(id)?;
        let free = self.free;
        let slot = &mut self.slots[id.index()];
        slot.call = None;
        slot.id = slot.id.wrapping_add(1 << 16);
        slot.next = free;
        self.free = id.index() as u16;
        self.used -= 1;
        Ok(call)
    }
}
