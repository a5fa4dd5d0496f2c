//! The rings of all pairs of CPUs.

use percpu::sync::{Ordering, hint};
use percpu::{CpuId, CpuSet, Crit, Here, MAX_CPUS, PerCpu};

use crate::doorbell::{self, Knock, POLLING, mark_of};
use crate::node::{Incoming, Node};
use crate::plant::{self, Bug};
use crate::{Call, Counters, Full, RING_DEPTH, Ring};

mod serve;

/// What the fabric needs of the machine.
pub trait Bell: Here {
    /// Interrupts a CPU, which then calls [`Fabric::drain`] when it next is outside a critical section.
    ///
    /// All stores before it must be visible to the target's handler. Does not call the fabric.
    fn ring(&self, crit: &Crit, to: CpuId);

    /// Gives one more ring when the reserve of this CPU is empty, if it can without leaving the critical section.
    /// Does not call the fabric.
    fn restock<const DEPTH: usize>(&self, crit: &Crit) -> Option<&'static mut Ring<DEPTH>> {
        let _ = crit;
        None
    }
}

/// The rings and doorbells of up to `CPUS` CPUs.
///
/// A ring is made on the first send of its pair, out of the sender's reserve, which each CPU
/// [stocks](Fabric::stock) when it comes up; nothing is allocated on the way of a message.
///
/// # Back pressure
/// 1. Outside a call, `send` to a full ring makes sure that the target was told, and then serves what
///    is sent to its own CPU until there is room. So do `sync` and all other waits.
/// 2. A call never waits: what it sends to a full ring is parked in its CPU's outbox, behind what is parked there for
///    the same target. The outbox is made of rings of the reserve.
/// 3. A drain does not end, and nothing outside calls goes on, before the outbox is empty. Meanwhile the CPU serves on.
///
/// *No unbounded recursion*: a call runs only in a drain, and a drain inside a call is refused: one deep, always.
/// *Order*: a target's parked calls leave before anything later for that target (2), and a wait (1) is over before its
/// caller sends again.
/// *No deadlock*: by 1 and 3 each CPU that waits keeps emptying the rings that lead to it, and by 2 it does so
/// without needing room in any other ring; so each full ring gets room, and each wait ends.
///
/// The memory for 2 is finite. When something is parked and the reserve is below [`CALL_TARGETS`] rings, no further call is
/// begun until some of it has left: the calls of one CPU to another that calls have sent, and that are not yet
/// read, should stay below 32 times the reserve. The counter `held` tells that this limit was met, before
/// anything can stand still because of it. Hence the rule for calls: a call sends to at most `CALL_TARGETS` CPUs.
#[derive(Debug)]
pub struct Fabric<B, const CPUS: usize = MAX_CPUS, const DEPTH: usize = RING_DEPTH> {
    bell: B,
    nodes: PerCpu<Node<DEPTH>, CPUS>,
    incoming: PerCpu<Incoming<CPUS, DEPTH>, CPUS>,
}

/// To how many CPUs a call may send; a reserve that is below it asks for more.
pub const CALL_TARGETS: usize = 4;

impl<B: Bell, const CPUS: usize, const DEPTH: usize> Fabric<B, CPUS, DEPTH> {
    /// Makes a fabric without a ring.
    #[cfg(not(feature = "loom"))]
    pub const fn new(bell: B) -> Self {
        Fabric {
            bell,
            nodes: PerCpu::new([const { percpu::Block::new(Node::new()) }; CPUS]),
            incoming: PerCpu::new([const { percpu::Block::new(Incoming::new()) }; CPUS]),
        }
    }

    /// Makes a fabric without a ring (loom's cells cannot be made in a constant).
    #[cfg(feature = "loom")]
    pub fn new(bell: B) -> Self {
        Fabric {
            bell,
            nodes: PerCpu::from_fn(|_| Node::new()),
            incoming: PerCpu::from_fn(|_| Incoming::new()),
        }
    }

    /// Adds a ring to the reserve of this CPU: one for each CPU that it will send to, and [`CALL_TARGETS`] or more for its calls.
    pub fn stock(&self, crit: &Crit, ring: &'static mut Ring<DEPTH>) {
        self.nodes.here::<B>(crit).state.with(crit, |state| state.reserve.put(ring));
    }

    /// Returns how many rings the reserve of this CPU has.
    pub fn reserve(&self, crit: &Crit) -> usize {
        self.nodes.here::<B>(crit).state.with(crit, |state| state.reserve.count())
    }

    /// Returns what a CPU has counted.
    pub fn counters(&self, cpu: CpuId) -> &Counters {
        &self.nodes.on(cpu).counters
    }

    pub(crate) fn nodes(&self) -> &PerCpu<Node<DEPTH>, CPUS> {
        &self.nodes
    }

    /// Returns what interrupts.
    pub fn bell(&self) -> &B {
        &self.bell
    }

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
        let posted = self.post(crit, me, to, call).is_some();
        if posted {
            self.sent(crit, me, to);
        }
        posted
    }

    /// The rest of `send`.
    #[cold]
    #[inline(never)]
    pub fn send_slowly(&self, crit: &Crit, to: CpuId, call: Call) {
        let me = B::here(crit);
        self.nodes.on(me).counters.sent.add(crit, 1);
        if self.post_waiting(crit, me, to, call) {
            self.knock(crit, me, to);
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
            self.knock(crit, me, to);
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

    /// Sends a call, or returns it if there is no room. Never waits.
    #[inline]
    pub fn try_send(&self, crit: &Crit, to: CpuId, call: Call) -> Result<(), Full> {
        let me = B::here(crit);
        if self.post(crit, me, to, call).is_none() {
            self.post_slow(crit, me, to, call)?;
        }
        self.sent(crit, me, to);
        Ok(())
    }

    /// Sends a call that is in no hurry: without a doorbell, as long as less than a quarter of the ring is in use.
    ///
    /// The target executes it when it next looks: at a doorbell, a poll, its tick, or before it halts.
    #[inline]
    pub fn send_passive(&self, crit: &Crit, to: CpuId, call: Call) {
        let me = B::here(crit);
        let posted = self.post(crit, me, to, call);
        match posted.map_or_else(|| self.post_slow(crit, me, to, call), Ok) {
            Ok(ring) => {
                // SAFETY: this CPU is the only producer of its ring to `to`.
                if unsafe { ring.is_quarter_full(crit) } {
                    self.sent(crit, me, to);
                } else {
                    let counters = &self.nodes.on(me).counters;
                    counters.sent.add(crit, 1);
                    counters.passive.add(crit, 1);
                    self.nodes.on(to).doorbell.note(mark_of(me));
                }
            }
            Err(Full(call)) => self.send_slowly(crit, to, call),
        }
    }

    /// Sends a call to each CPU of a set, this one included if it is in, beginning at the own number.
    ///
    /// Those with room get it before any full ring is waited for.
    pub fn send_mask(&self, crit: &Crit, cpus: &CpuSet, call: Call) {
        let mut full = CpuSet::EMPTY;
        for to in cpus.starting_at(B::here(crit)) {
            if self.try_send(crit, to, call).is_err() {
                full.insert(to);
            }
        }
        for to in full.starting_at(B::here(crit)) {
            self.send(crit, to, call);
        }
    }

    /// Puts a call into the ring of its pair, if that exists and nothing is parked.
    #[inline(always)]
    fn post(&self, crit: &Crit, me: CpuId, to: CpuId, call: Call) -> Option<&'static Ring<DEPTH>> {
        let ring = self.ring_to(me, to)?;
        let straight = self.nodes.on(me).state.with(crit, |state| state.outbox.is_empty());
        // SAFETY: this CPU is the only producer of its ring to `to`.
        let posted =
            straight && (plant::strikes(Bug::Lose) || unsafe { ring.push(crit, call) }.is_ok());
        posted.then_some(ring)
    }

    /// What remains after a push: the doorbell and the counters.
    #[inline(always)]
    fn sent(&self, crit: &Crit, me: CpuId, to: CpuId) {
        self.nodes.on(me).counters.sent.add(crit, 1);
        self.knock(crit, me, to);
    }

    #[inline(always)]
    fn knock(&self, crit: &Crit, me: CpuId, to: CpuId) {
        let counters = &self.nodes.on(me).counters;
        match self.nodes.on(to).doorbell.knock(mark_of(me)) {
            Knock::Avoided => counters.avoided.add(crit, 1),
            Knock::Ring if plant::strikes(Bug::LostDoorbell) => {}
            Knock::Ring => {
                counters.rung.add(crit, 1);
                self.bell.ring(crit, to);
            }
        }
    }

    /// As `post`, and makes the ring on its first use, and looks closely at what is parked.
    #[cold]
    fn post_slow(
        &self,
        crit: &Crit,
        me: CpuId,
        to: CpuId,
        call: Call,
    ) -> Result<&'static Ring<DEPTH>, Full> {
        let Some(ring) = self.ring_to(me, to).or_else(|| self.make_ring(crit, me, to)) else {
            return Err(Full(call));
        };
        if self.nodes.on(me).state.with(crit, |state| state.outbox.holds(to)) {
            return Err(Full(call));
        }
        // SAFETY: this CPU is the only producer of its ring to `to`.
        unsafe { ring.push(crit, call) }?;
        Ok(ring)
    }

    /// Posts where `post` failed, rules 1 and 2 of back pressure; false if the call was parked instead, which rings by itself.
    #[cold]
    #[inline(never)]
    fn post_waiting(&self, crit: &Crit, me: CpuId, to: CpuId, call: Call) -> bool {
        if self.post_slow(crit, me, to, call).is_ok() {
            return true;
        }
        let node = self.nodes.on(me);
        node.counters.full.add(crit, 1);
        // What was sent passively was not rung for: without this its target might never look. The rest was (`send_burst`).
        if self.nodes.on(to).doorbell.is_noted_by(mark_of(me)) {
            self.knock(crit, me, to);
        }
        loop {
            if node.state.with(crit, |state| state.in_call) {
                if self.park(crit, me, to, call) {
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
    fn park(&self, crit: &Crit, me: CpuId, to: CpuId, call: Call) -> bool {
        let node = self.nodes.on(me);
        if self.ring_to(me, to).is_none() {
            return false;
        }
        let park = || {
            node.state
                .with(crit, |state| state.outbox.park(crit, &mut state.reserve, to, call))
                .is_ok()
        };
        let parked = park() || (self.restock(crit, me) && park());
        node.counters.parked.add(crit, u64::from(parked));
        parked
    }

    #[inline(always)]
    fn ring_to(&self, me: CpuId, to: CpuId) -> Option<&'static Ring<DEPTH>> {
        let ring = self.incoming.on(to).0[me.index()].load(Ordering::Relaxed);
        // SAFETY: it is null or came out of a `&'static` (`make_ring`); this CPU stored it.
        unsafe { ring.cast_const().as_ref::<'static>() }
    }

    /// Makes the ring of a pair on its first use.
    ///
    /// # Panics
    /// If there is no memory for it and none will come back: the CPU was not stocked as [`Fabric::stock`] asks.
    #[cold]
    fn make_ring(&self, crit: &Crit, me: CpuId, to: CpuId) -> Option<&'static Ring<DEPTH>> {
        let node = self.nodes.on(me);
        let take = || node.state.with(crit, |state| state.reserve.take());
        let ring = take().or_else(|| if self.restock(crit, me) { take() } else { None });
        let Some(ring) = ring else {
            let parked = node.state.with(crit, |state| !state.outbox.is_empty());
            assert!(parked, "{me:?} has no ring left for {to:?}: its reserve was not stocked");
            return None;
        };
        // Both are seen by who takes the mark that follows: `Doorbell::take`, acquire.
        self.nodes.on(to).end.0.fetch_max(me.index() + 1, Ordering::Relaxed);
        // Pairs with: `serve`, the load of the ring, acquire.
        let place = &self.incoming.on(to).0[me.index()];
        place.store(core::ptr::from_ref(ring).cast_mut(), Ordering::Release);
        Some(ring)
    }

    /// Asks the machine for one more ring; false if it has none.
    fn restock(&self, crit: &Crit, me: CpuId) -> bool {
        let node = self.nodes.on(me);
        node.counters.dry.add(crit, 1);
        match self.bell.restock(crit) {
            Some(ring) => {
                node.state.with(crit, |state| state.reserve.put(ring));
                true
            }
            None => false,
        }
    }
}
