//! What all variants of sending share: into the ring, the doorbell, the rules of back pressure, and rings made on first use.
//!
//! In a kernel that was built for faults a ring is found full, and the outbox without memory, although it is not so: whoever sends has to
//! do then what is done when it is.

use super::*;
use faults::Fault;

impl<B: Bell, const CPUS: usize, const DEPTH: usize> Fabric<B, CPUS, DEPTH> {
    /// Puts a call into the ring of its pair, if that exists and nothing is parked.
    #[inline(always)]
    pub(super) fn post(
        &self,
        crit: &Crit,
        me: CpuId,
        to: CpuId,
        call: Call,
    ) -> Option<&'static Ring<DEPTH>> {
        let ring = self.ring_to(me, to)?;
        let straight =
            self.is_finished(crit, self.nodes.on(me)) && !faults::strikes(me, Fault::FullRing);
        // SAFETY: this CPU is the only producer of its ring to `to`.
        let posted =
            straight && (plant::strikes(Bug::Lose) || unsafe { ring.push(crit, call) }.is_ok());
        posted.then_some(ring)
    }

    /// What remains after a push: the doorbell and the counters.
    #[inline(always)]
    pub(super) fn sent(&self, crit: &Crit, me: CpuId, to: CpuId, mark: u64) {
        self.nodes.on(me).counters.sent.add(crit, 1);
        self.knock(crit, me, to, mark);
    }

    #[inline(always)]
    pub(super) fn knock(&self, crit: &Crit, me: CpuId, to: CpuId, mark: u64) {
        let counters = &self.nodes.on(me).counters;
        match self.nodes.on(to).doorbell.knock::<B::Knocking>(mark) {
            Knock::Avoided => {
                counters.avoided.add(crit, 1);
                probe::avoided(to.index() as u32);
            }
            Knock::Ring if plant::strikes(Bug::LostDoorbell) => {}
            Knock::Ring => {
                counters.rung.add(crit, 1);
                probe::rung(to.index() as u32);
                self.bell.ring(crit, to);
            }
        }
    }

    /// As `post`, and makes the ring on its first use, and looks closely at what is parked.
    #[cold]
    pub(super) fn post_slow(
        &self,
        crit: &Crit,
        me: CpuId,
        to: CpuId,
        call: Call,
    ) -> Result<&'static Ring<DEPTH>, Full> {
        let Some(ring) = self.ring_to(me, to).or_else(|| self.make_ring(crit, me, to)) else {
            return Err(Full(call));
        };
        let holds = self.nodes.on(me).state.with(crit, |state| state.outbox.holds(to));
        if holds || faults::lasts(me, Fault::FullRing) {
            return Err(Full(call));
        }
        // SAFETY: this CPU is the only producer of its ring to `to`.
        unsafe { ring.push(crit, call) }?;
        Ok(ring)
    }

    /// Posts where `post` failed, rules 1 and 2 of back pressure; false if the call was parked instead, which rings by itself.
    ///
    /// # Panics
    /// If there is no memory for a pair's first ring and none will come back: the CPU was not stocked as [`Fabric::stock`] asks.
    #[cold]
    #[inline(never)]
    pub(super) fn post_waiting(&self, crit: &Crit, me: CpuId, to: CpuId, call: Call) -> bool {
        if self.post_slow(crit, me, to, call).is_ok() {
            return true;
        }
        let node = self.nodes.on(me);
        let will_have_ring =
            self.has_ring(me, to) || node.state.with(crit, |state| !state.outbox.is_empty());
        assert!(will_have_ring, "{me:?} has no ring left for {to:?}: its reserve was not stocked");
        node.counters.full.add(crit, 1);
        probe::full(to.index() as u32);
        // What was sent passively was not rung for: without this its target might never look. The rest was (`send_burst`).
        let mark = self.mark_for(me, to);
        if self.nodes.on(to).doorbell.is_noted_by(mark) && !uncured::STAYS_SILENT {
            self.knock(crit, me, to, mark);
        }
        loop {
            if node.state.with(crit, |state| state.in_call) && !uncured::WAITS_IN_CALLS {
                if self.park_call(crit, me, to, call) {
                    return false;
                }
                node.counters.held.add(crit, 1);
                self.flush(crit, node);
            } else {
                self.drain(crit);
            }
            hint::spin_loop();
            if self.post_slow(crit, me, to, call).is_ok() {
                return true;
            }
        }
    }

    /// Puts a call into the outbox; false if there is no memory.
    fn park_call(&self, crit: &Crit, me: CpuId, to: CpuId, call: Call) -> bool {
        let node = self.nodes.on(me);
        if self.ring_to(me, to).is_none() || faults::strikes(me, Fault::NoMemory) {
            return false;
        }
        let park = || node.state.with(crit, |state| state.park(crit, to, call)).is_ok();
        let parked = park() || (self.restock(crit, me) && park());
        if parked {
            probe::kept(to.index() as u32);
        }
        node.counters.parked.add(crit, u64::from(parked));
        parked
    }

    #[inline(always)]
    pub(super) fn ring_to(&self, me: CpuId, to: CpuId) -> Option<&'static Ring<DEPTH>> {
        let ring = self.incoming.on(to).0[me.index()].load(Ordering::Relaxed);
        // SAFETY: it is null or came out of a `&'static` (`make_ring`); this CPU stored it.
        unsafe { ring.cast_const().as_ref::<'static>() }
    }

    /// What this CPU leaves in the doorbell of one that it has sent to.
    #[inline(always)]
    pub(super) fn mark_for(&self, me: CpuId, to: CpuId) -> u64 {
        self.ring_to(me, to).map_or(0, Ring::mark)
    }

    /// Makes the ring of a pair on its first use, if there is memory for it.
    #[cold]
    fn make_ring(&self, crit: &Crit, me: CpuId, to: CpuId) -> Option<&'static Ring<DEPTH>> {
        let node = self.nodes.on(me);
        let take = || node.state.with(crit, |state| state.reserve.take());
        let ring = take().or_else(|| if self.restock(crit, me) { take() } else { None })?;
        self.join(me, to, ring);
        // Relaxed: only this CPU reads it.
        let place = &self.incoming.on(to).0[me.index()];
        place.store(core::ptr::from_ref(ring).cast_mut(), Ordering::Relaxed);
        Some(ring)
    }

    /// Finds a mark for a new ring, and shows the ring to its target.
    ///
    /// | step | source | target |
    /// |---|---|---|
    /// | 1 | its ring is the first under a mark, release; or hangs on the first, release, and the mark is said to be shared | |
    /// | 2 | push, and the mark, release: [`doorbell`] | takes the mark, acquire |
    /// | 3 | | asks whether it is shared; reads the first ring, acquire, and if it is shared those that hang on it, acquire |
    ///
    /// Forbidden: a mark that was left, and a ring behind it that is not looked at. Who is first stays first: a source that joins
    /// meanwhile hides nobody, and its own mark comes after its step 1.
    #[cold]
    #[inline(never)]
    fn join(&self, me: CpuId, to: CpuId, ring: &'static Ring<DEPTH>) {
        let marked = &self.marked.on(to).0;
        let hang = |place: &AtomicPtr<Ring<DEPTH>>, old: *mut Ring<DEPTH>| {
            let new = core::ptr::from_ref(ring).cast_mut();
            // Pairs with: `first_marked` and `serve_sharers`, acquire.
            place.compare_exchange(old, new, Ordering::Release, Ordering::Relaxed)
        };
        // That of its number first: where there are no more CPUs than marks, it is free.
        let own = doorbell::mark_of(me).trailing_zeros() as usize;
        for number in (own..doorbell::GROUPS.min(CPUS)).chain(0..own) {
            if hang(&marked[number], core::ptr::null_mut()).is_ok() {
                return ring.set_mark(1 << number);
            }
        }
        ring.set_mark(1 << own);
        // Relaxed: seen by who takes the mark that follows, `Doorbell::take`, acquire.
        self.nodes.on(to).shared.0.fetch_or(1 << own, Ordering::Relaxed);
        // Pairs with: the exchange above, release.
        let first = marked[own].load(Ordering::Acquire);
        // SAFETY: the exchange failed, so it is not null; what is not came out of a `&'static`.
        let first = unsafe { &*first };
        let mut next = first.sharer().load(Ordering::Relaxed);
        loop {
            ring.sharer().store(next, Ordering::Relaxed);
            match hang(first.sharer(), next) {
                Ok(_) => return,
                Err(other) => next = other,
            }
        }
    }

    /// Asks the machine for more rings; false if it has none.
    pub(super) fn restock(&self, crit: &Crit, me: CpuId) -> bool {
        self.nodes.on(me).counters.dry.add(crit, 1);
        let rings = self.bell.restock(crit);
        let any = !rings.is_empty();
        self.stock(crit, rings);
        any
    }
}
