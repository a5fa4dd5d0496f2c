//! The sender's side of a fabric: the variants of sending; the crate's head compares them.

use super::*;

impl<B: Bell, const CPUS: usize, const DEPTH: usize> Fabric<B, CPUS, DEPTH> {
    /// Sends a call. To this CPU too: it then runs at the next drain.
    ///
    /// Outside a call it waits while the ring is full, and serves meanwhile; inside one it never waits.
    #[inline(always)]
    pub fn send(&self, crit: &Crit, to: CpuId, call: Call) {
        if !self.send_quickly(crit, to, call) {
            self.send_slowly(crit, to, call);
        }
    }

    /// The usual part of `send`: false if nothing was sent, as there is no ring yet, no room, or something parked.
    #[inline(always)]
    pub fn send_quickly(&self, crit: &Crit, to: CpuId, call: Call) -> bool {
        self.quickly(crit, B::here(crit), to, call)
    }

    #[inline(always)]
    pub(crate) fn quickly(&self, crit: &Crit, me: CpuId, to: CpuId, call: Call) -> bool {
        let Some(ring) = self.post(crit, me, to, call) else { return false };
        self.sent(crit, me, to, ring.mark());
        true
    }

    /// The rest of `send`.
    #[cold]
    #[inline(never)]
    pub fn send_slowly(&self, crit: &Crit, to: CpuId, call: Call) {
        let me = B::here(crit);
        self.nodes.on(me).counters.sent.add(crit, 1);
        if self.post_waiting(crit, me, to, call) {
            self.knock(crit, me, to, self.mark_for(me, to));
        }
    }

    /// Sends calls to one CPU, one after the other, and rings after the last, and after each that may have filled a ring: a burst
    /// of up to a ring's depth costs one interrupt at most.
    ///
    /// Also if it meets a full ring: then one that was rung for is in it, so the target is going to look.
    #[inline]
    pub fn send_burst(&self, crit: &Crit, to: CpuId, calls: impl IntoIterator<Item = Call>) {
        let me = B::here(crit);
        let mut unrung = 0;
        let ring_for = |unrung: usize| {
            self.nodes.on(me).counters.sent.add(crit, unrung as u64);
            self.knock(crit, me, to, self.mark_for(me, to));
        };
        for call in calls {
            if self.post(crit, me, to, call).is_none() {
                self.post_waiting(crit, me, to, call);
            }
            unrung += 1;
            if unrung == DEPTH {
                ring_for(core::mem::take(&mut unrung));
            }
        }
        if unrung != 0 {
            ring_for(unrung);
        }
    }

    /// Sends a call, or returns it if there is no room, or no memory for a pair's first ring. Never waits.
    #[inline]
    pub fn send_nowait(&self, crit: &Crit, to: CpuId, call: Call) -> Result<(), Full> {
        let me = B::here(crit);
        let ring = match self.post(crit, me, to, call) {
            Some(ring) => ring,
            None => self.post_slow(crit, me, to, call).inspect_err(|_| unsent(to))?,
        };
        self.sent(crit, me, to, ring.mark());
        Ok(())
    }

    /// Sends a call that is in no hurry: without a doorbell, as long as less than a quarter of the ring is in use.
    ///
    /// The target executes it when it next looks: at a doorbell, a poll, its tick, or before it halts.
    #[inline]
    pub fn send_passive(&self, crit: &Crit, to: CpuId, call: Call) {
        if let Err(Full(call)) = self.send_passive_nowait(crit, to, call) {
            self.send_slowly(crit, to, call);
        }
    }

    /// As [`send_passive`](Self::send_passive), or returns the call if there is no room, or no memory for a pair's first ring. Never waits.
    #[inline]
    pub fn send_passive_nowait(&self, crit: &Crit, to: CpuId, call: Call) -> Result<(), Full> {
        let me = B::here(crit);
        let posted = self.post(crit, me, to, call);
        let slowly = || self.post_slow(crit, me, to, call).inspect_err(|_| unsent(to));
        let ring = posted.map_or_else(slowly, Ok)?;
        // SAFETY: this CPU is the only producer of its ring to `to`.
        if unsafe { ring.is_quarter_full(crit) } && !uncured::STAYS_SILENT {
            self.sent(crit, me, to, ring.mark());
        } else {
            let counters = &self.nodes.on(me).counters;
            counters.sent.add(crit, 1);
            counters.passive.add(crit, 1);
            self.nodes.on(to).doorbell.note(ring.mark());
        }
        Ok(())
    }

    /// Sends a call to each CPU of a set, this one included if it is in, beginning at the own number. CPUs that do not listen are
    /// left out.
    ///
    /// Those with room get it before any full ring is waited for. To more than [`Bell::LOOP_MOST`] it goes from CPU to CPU along
    /// a tree, in no order with what was sent before; then it may not be sent by a call, which has [`CALL_TARGETS`].
    pub fn send_mask(&self, crit: &Crit, cpus: &CpuSet, call: Call) {
        let me = B::here(crit);
        let cpus = cpus.and(&self.listening.load());
        // Low numbers alone are few, and are counted by one look.
        let are_few = cpus.as_word_below(B::LOOP_MOST, CpuId::BOOT).is_some();
        if !are_few && cpus.count() > B::LOOP_MOST + usize::from(cpus.contains(me)) {
            self.assert_may_wait(crit, me);
            self.spread(crit, me, &cpus, call);
            return;
        }
        let mut full = CpuSet::EMPTY;
        for to in cpus.starting_at(me) {
            if self.send_nowait(crit, to, call).is_err() {
                full.insert(to);
            }
        }
        for to in full.starting_at(me) {
            self.send(crit, to, call);
        }
    }
}

/// A call comes back to its sender.
fn unsent(to: CpuId) {
    probe::unsent(to.index() as u32);
}
