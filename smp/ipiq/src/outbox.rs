//! The rings that a CPU keeps to itself: its reserve, and the outbox of what its calls could not send.

use core::ptr;

use percpu::{CpuId, CpuSet, Crit};

use crate::handover::Chosen;
use crate::ring::Link;
use crate::{Call, Full, Ring};

/// Empty rings, for pairs that have none yet and for the outbox. A stack through their links.
#[derive(Debug)]
pub(crate) struct Reserve<const DEPTH: usize> {
    top: *mut Ring<DEPTH>,
    count: usize,
}

impl<const DEPTH: usize> Reserve<DEPTH> {
    pub const fn new() -> Self {
        Reserve { top: ptr::null_mut(), count: 0 }
    }

    pub fn count(&self) -> usize {
        self.count
    }

    /// Puts a ring in. It is empty, and between no two CPUs.
    pub fn put(&mut self, ring: &'static Ring<DEPTH>) {
        let next = self.top;
        // SAFETY: this CPU owns the rings of its reserve, and nothing is lent here.
        unsafe { ring.link(|link| link.next = next) };
        self.top = ptr::from_ref(ring).cast_mut();
        self.count += 1;
    }

    /// Takes a ring out.
    pub fn take(&mut self) -> Option<&'static Ring<DEPTH>> {
        // SAFETY: `top` is null or came from `put`, out of a `&'static`.
        let ring = unsafe { self.top.cast_const().as_ref::<'static>() }?;
        // SAFETY: this CPU owns the rings of its reserve, and nothing is lent here.
        self.top = unsafe { ring.link(|link| link.next) };
        self.count -= 1;
        Some(ring)
    }
}

/// What calls of this CPU sent to full rings, in the order in which they sent it.
///
/// A list of rings of the reserve, each for one target; no ring in it is empty. This CPU is at both ends of them, so what goes in or
/// comes out is neither sent nor run, for probes.
#[derive(Debug)]
pub(crate) struct Outbox<const DEPTH: usize> {
    first: *mut Ring<DEPTH>,
    last: *mut Ring<DEPTH>,
}

impl<const DEPTH: usize> Outbox<DEPTH> {
    pub const fn new() -> Self {
        Outbox { first: ptr::null_mut(), last: ptr::null_mut() }
    }

    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.first.is_null()
    }

    /// Returns whether something for `to` is parked: then what is sent to it now must be parked behind.
    pub fn holds(&self, to: CpuId) -> bool {
        !self.is_empty() && self.last_for(to).is_some()
    }

    /// Parks a call; if there is no memory for it, it comes back.
    pub fn park(
        &mut self,
        crit: &Crit,
        reserve: &mut Reserve<DEPTH>,
        to: CpuId,
        call: Call,
    ) -> Result<(), Full> {
        let left = match self.last_for(to) {
            // SAFETY: this CPU is at both ends of what is in its outbox.
            Some(ring) => unsafe { ring.store(crit, call, |_| ()) },
            None => Err(Full(call)),
        };
        if let Err(Full(call)) = left {
            let ring = reserve.take().ok_or(Full(call))?;
            self.append(ring, to);
            // SAFETY: this CPU is at both ends of what is in its outbox.
            unsafe { ring.store(crit, call, |_| ()) }?;
        }
        Ok(())
    }

    /// Moves what there is room for into the rings of its targets; returns these targets.
    pub fn flush(
        &mut self,
        crit: &Crit,
        reserve: &mut Reserve<DEPTH>,
        ring_to: impl Fn(CpuId) -> &'static Ring<DEPTH>,
    ) -> CpuSet {
        let mut moved = CpuSet::EMPTY;
        let mut stuck = CpuSet::EMPTY;
        let mut before: Option<&'static Ring<DEPTH>> = None;
        let mut at = self.first;
        while let Some(ring) = list_ref(at) {
            let (to, next) = link(ring, |link| (link.to, link.next));
            // Once a target is stuck, later rings for it wait too: its order is kept.
            let count = if stuck.contains(to) { 0 } else { move_all(crit, ring, ring_to(to)) };
            if count != 0 {
                moved.insert(to);
            }
            // SAFETY: this CPU is at both ends of what is in its outbox.
            if unsafe { ring.is_empty(crit) } {
                self.unlink(before, ring, next);
                reserve.put(ring);
            } else {
                stuck.insert(to);
                before = Some(ring);
            }
            at = next;
        }
        moved
    }

    fn last_for(&self, to: CpuId) -> Option<&'static Ring<DEPTH>> {
        let mut found = None;
        let mut at = self.first;
        while let Some(ring) = list_ref(at) {
            at = link(ring, |link| {
                if link.to == to {
                    found = Some(ring);
                }
                link.next
            });
        }
        found
    }

    fn append(&mut self, ring: &'static Ring<DEPTH>, to: CpuId) {
        link(ring, |link| *link = Link { next: ptr::null_mut(), to });
        let at = ptr::from_ref(ring).cast_mut();
        match list_ref(self.last) {
            Some(last) => link(last, |link| link.next = at),
            None => self.first = at,
        }
        self.last = at;
    }

    fn unlink(
        &mut self,
        before: Option<&'static Ring<DEPTH>>,
        ring: &'static Ring<DEPTH>,
        next: *mut Ring<DEPTH>,
    ) {
        match before {
            Some(before) => link(before, |link| link.next = next),
            None => self.first = next,
        }
        if ptr::eq(self.last, ring) {
            self.last = before.map_or(ptr::null_mut(), |before| ptr::from_ref(before).cast_mut());
        }
    }
}

/// Moves calls from a ring of the outbox to the ring of its target, until one is empty or the other full.
fn move_all<const DEPTH: usize>(crit: &Crit, from: &Ring<DEPTH>, to: &Ring<DEPTH>) -> usize {
    let mut count = 0;
    // SAFETY: this CPU is the only producer of the ring to the target.
    while unsafe { to.has_room(crit) } {
        // SAFETY: this CPU is at both ends of what is in its outbox.
        let Some(call) = (unsafe { from.fetch(crit) }) else { break };
        // SAFETY: this CPU is the only producer of the ring to the target.
        let put = unsafe { to.push(crit, call) };
        debug_assert!(put.is_ok(), "only this CPU could have taken the room");
        count += 1;
    }
    count
}

fn list_ref<const DEPTH: usize>(ring: *mut Ring<DEPTH>) -> Option<&'static Ring<DEPTH>> {
    // SAFETY: what is in the list is null or came out of a `&'static` of the reserve.
    unsafe { ring.cast_const().as_ref::<'static>() }
}

fn link<const DEPTH: usize, R>(
    ring: &Ring<DEPTH>,
    f: impl FnOnce(&mut Link<Chosen, DEPTH>) -> R,
) -> R {
    // SAFETY: this CPU owns the rings of its outbox, and no closure of this file lends a link again.
    unsafe { ring.link(f) }
}
