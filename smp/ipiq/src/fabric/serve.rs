//! The target's side of a fabric: looking at the doorbell, executing calls, polling.

use super::*;

impl<B: Bell, const CPUS: usize, const DEPTH: usize> Fabric<B, CPUS, DEPTH> {
    /// Executes what was sent to this CPU; returns how many calls that were.
    ///
    /// To be called by every wait. Inside a call it does nothing. Each look takes at most a ring's worth from each source.
    #[inline(always)]
    pub fn drain(&self, crit: &Crit) -> usize {
        let me = B::here(crit);
        if self.nodes.on(me).doorbell.is_marked() { self.drain_marked(crit, me) } else { 0 }
    }

    /// To be called on an interrupt of the [`Bell`] (or, if that finds a critical section, at its end): a `drain` that does not ask first.
    ///
    /// The whole of it is put where it is called: once, in a function that knows the fabric's address.
    #[inline(always)]
    pub fn rang(&self, crit: &Crit) {
        self.look(crit.anew(), B::here(crit));
    }

    /// To be called at each tick: executes what was sent passively, and the rest along with it; returns how many calls that were.
    ///
    /// With nothing sent passively it does nothing: it would hide that a doorbell was lost.
    #[inline]
    pub fn tick(&self, crit: &Crit) -> usize {
        let me = B::here(crit);
        if self.nodes.on(me).doorbell.is_noted() { self.drain_marked(crit, me) } else { 0 }
    }

    /// Returns whether something was sent to a CPU that it has not looked at yet: a glance from anywhere.
    pub fn is_marked(&self, cpu: CpuId) -> bool {
        self.nodes().on(cpu).doorbell.is_marked()
    }

    /// Returns whether something was sent passively to a CPU that it has not looked at yet: a glance from anywhere.
    pub fn is_noted_on(&self, cpu: CpuId) -> bool {
        self.nodes().on(cpu).doorbell.is_noted()
    }

    /// Returns whether something was sent here passively: then this CPU must look, by [`Fabric::tick`], before it halts.
    ///
    /// To be asked with interrupts off, right before halting. Nobody interrupts for what comes after the answer: it is in no
    /// hurry. What was sent otherwise ends the halt by its interrupt.
    #[inline]
    pub fn is_noted(&self, crit: &Crit) -> bool {
        self.nodes.here::<B>(crit).doorbell.is_noted()
    }

    /// Begins to poll: until [`Fabric::poll_exit`] nobody interrupts this CPU, and it must call `drain` over and over,
    /// or watch the doorbell's word ([`Fabric::watched`]).
    pub fn poll_enter(&self, crit: &Crit) {
        self.set_rest(crit, POLLING);
    }

    /// Ends polling: from now on this CPU is interrupted. Executes what came before.
    pub fn poll_exit(&self, crit: &Crit) {
        self.set_rest(crit, 0);
    }

    /// The address that changes when somebody sends to this CPU, for `monitor`.
    pub fn watched(&self, crit: &Crit) -> *const () {
        self.nodes.here::<B>(crit).doorbell.watched()
    }

    fn set_rest(&self, crit: &Crit, rest: u64) {
        let me = B::here(crit);
        self.nodes.on(me).state.with(crit, |state| {
            assert!(!state.in_call, "a call cannot begin or end polling");
            state.rest = rest;
        });
        self.drain_marked(crit, me);
    }

    #[inline(never)]
    pub(crate) fn drain_marked(&self, crit: &Crit, me: CpuId) -> usize {
        let counters = &self.nodes.on(me).counters;
        let before = counters.ran.get();
        self.look(crit, me);
        (counters.ran.get() - before) as usize
    }

    /// Looks, executes, looks again, until the word can be left at rest.
    ///
    /// Until then the word is `POLLING`: who sends meanwhile need not interrupt.
    #[inline(always)]
    fn look(&self, crit: &Crit, me: CpuId) {
        let node = self.nodes.on(me);
        if node.state.with(crit, |state| core::mem::replace(&mut state.in_call, true))
            && !uncured::NESTS
        {
            return;
        }
        loop {
            self.serve(crit, me, node, node.doorbell.take());
            if self.is_finished(crit, node) || self.finish(crit) {
                if node.doorbell.settle(node.state.with(crit, |state| state.rest)) {
                    break;
                }
            } else {
                hint::spin_loop();
            }
        }
        node.state.with(crit, |state| state.in_call = false);
        node.counters.drains.add(crit, 1);
    }

    /// Executes what is in the rings that the marks stand for, at most a ring's worth of each.
    #[inline(always)]
    fn serve(&self, crit: &Crit, me: CpuId, node: &Node<DEPTH>, mut marks: u64) {
        // Relaxed: a mark that is shared was left after it had been noted here.
        let shared = marks & node.shared.0.load(Ordering::Relaxed);
        if shared != 0 {
            self.serve_sharers(crit, shared);
        }
        while marks != 0 {
            self.serve_first(crit, me, node, marks.trailing_zeros() as usize);
            marks &= marks - 1;
        }
    }

    /// Executes what is in the further rings of these marks: all but the first of each.
    ///
    /// It finds for itself what the usual way would have to keep for it: so do the other rare parts.
    #[cold]
    #[inline(never)]
    fn serve_sharers(&self, crit: &Crit, mut marks: u64) {
        let me = B::here(crit);
        let node = self.nodes.on(me);
        while marks != 0 {
            let mut ring = self.first_marked(me, marks.trailing_zeros() as usize);
            while let Some(one) = ring {
                // Pairs with: `join`, release.
                let next = one.sharer().load(Ordering::Acquire);
                // SAFETY: it is null or came out of a `&'static` (`join`).
                ring = unsafe { next.cast_const().as_ref::<'static>() };
                if let Some(sharer) = ring {
                    self.serve_ring(crit, node, sharer);
                }
            }
            marks &= marks - 1;
        }
    }

    /// Executes what is in the first ring of a mark.
    #[inline(always)]
    fn serve_first(&self, crit: &Crit, me: CpuId, node: &Node<DEPTH>, number: usize) {
        if let Some(ring) = self.first_marked(me, number) {
            self.serve_ring(crit, node, ring);
        }
    }

    /// The first ring that leads here under the mark of that number, which was left here.
    #[inline(always)]
    fn first_marked(&self, me: CpuId, number: usize) -> Option<&'static Ring<DEPTH>> {
        // SAFETY: marks have numbers below `GROUPS`, and those that are left below `CPUS` (`join`): there is a place for each.
        let place = unsafe { self.marked.on(me).0.get_unchecked(number) };
        // Pairs with: `join`, release.
        let ring = place.load(Ordering::Acquire);
        // SAFETY: it is null or came out of a `&'static` (`join`).
        unsafe { ring.cast_const().as_ref::<'static>() }
    }

    /// Executes what is in a ring that leads here.
    #[inline(always)]
    fn serve_ring(&self, crit: &Crit, node: &Node<DEPTH>, ring: &'static Ring<DEPTH>) {
        #[cfg(feature = "uncured-2005")]
        // SAFETY: this CPU is the only consumer of the rings that lead to it.
        return unsafe {
            ring.pop_copies(crit, |call| {
                node.counters.ran.add(crit, 1);
                call.run(crit);
            })
        };
        #[cfg_attr(feature = "uncured-2005", expect(unreachable_code, reason = "the cure"))]
        for _ in 0..DEPTH {
            // SAFETY: this CPU is the only consumer of the rings that lead to it, and drains do not nest.
            let Some(call) = (unsafe { ring.pop(crit) }) else { break };
            if plant::strikes(Bug::Reorder) {
                // SAFETY: as above.
                if let Some(later) = unsafe { ring.pop(crit) } {
                    later.run(crit);
                    node.counters.ran.add(crit, 1);
                }
            }
            let parked = cfg!(feature = "plants").then(|| node.counters.parked.get());
            node.counters.ran.add(crit, 1);
            call.run(crit.anew());
            if plant::strikes(Bug::Double) {
                call.run(crit);
            }
            // Nothing is parked before the first call: a drain ends with an empty outbox.
            if !self.is_finished(crit, node) {
                self.hold_back(crit);
                let has_parked = parked.is_some_and(|before| before != node.counters.parked.get());
                if has_parked && plant::strikes(Bug::StaleIndex) {
                    call.run(crit);
                }
            }
        }
    }

    /// Whether nothing keeps a drain from ending.
    #[inline(always)]
    pub(super) fn is_finished(&self, crit: &Crit, node: &Node<DEPTH>) -> bool {
        node.state.with(crit, |state| state.unfinished == Unfinished::NOTHING)
    }

    /// Does something about what keeps this drain from ending; returns whether nothing does any more.
    #[cold]
    #[inline(never)]
    fn finish(&self, crit: &Crit) -> bool {
        let me = B::here(crit);
        let node = self.nodes.on(me);
        loop {
            // Orders are executed here: they, too, may have sent something.
            let goes_on = self.obey(crit, node);
            let is_flushed = self.flush(crit, node);
            if goes_on || !is_flushed || node.doorbell.is_marked() {
                return goes_on && is_flushed;
            }
            // Parked, and nothing to do.
            hint::spin_loop();
        }
    }

    /// Holds back the next call while something is parked and there is little memory to park more.
    #[cold]
    #[inline(never)]
    fn hold_back(&self, crit: &Crit) {
        let me = B::here(crit);
        let node = self.nodes.on(me);
        let is_low = || {
            node.state.with(crit, |state| {
                !state.outbox.is_empty() && state.reserve.count() < CALL_TARGETS
            })
        };
        if is_low() {
            node.counters.held.add(crit, 1);
        }
        while is_low() && !self.restock(crit, me) {
            self.flush(crit, node);
            hint::spin_loop();
        }
    }

    /// Sends what is parked and has room now; returns whether nothing is left.
    #[inline]
    pub(super) fn flush(&self, crit: &Crit, node: &Node<DEPTH>) -> bool {
        node.state.with(crit, |state| state.outbox.is_empty()) || self.flush_parked(crit)
    }

    #[cold]
    #[inline(never)]
    fn flush_parked(&self, crit: &Crit) -> bool {
        let me = B::here(crit);
        let node = self.nodes.on(me);
        let (moved, is_empty) = node.state.with(crit, |state| {
            let ring_to =
                |to| self.ring_to(me, to).expect("a call is parked only where there is a ring");
            let moved = state.flush(crit, ring_to);
            (moved, state.outbox.is_empty())
        });
        for to in &moved {
            self.knock(crit, me, to, self.mark_for(me, to));
        }
        is_empty
    }
}
