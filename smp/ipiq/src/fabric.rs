//! The rings of all pairs of CPUs.

use percpu::sync::{AtomicPtr, Ordering, hint};
use percpu::{AtomicCpuSet, Block, CpuId, CpuSet, Crit, Here, MAX_CPUS, PerCpu, array_of};

use crate::doorbell::{self, POLLING};
use crate::knocking::{Knock, Knocking};
use crate::node::{Incoming, Marked, Node, Unfinished};
use crate::parked::Master;
use crate::plant::{self, Bug};
use crate::tree::{Arrived, Tree};
use crate::{Call, Counters, Full, RING_DEPTH, Ring, uncured};

mod post;
mod send;
mod serve;

/// What the fabric needs of the machine.
pub trait Bell: Here {
    /// When senders interrupt: [`Chosen`](crate::knocking::Chosen), but where a test wants to say it.
    type Knocking: Knocking;

    /// To how many other CPUs a broadcast is sent one by one; to more it goes along a tree.
    const LOOP_MOST: usize = 16;

    /// To how many CPUs each place of a tree passes a broadcast on, at most 4: what it executes for the tree may send to the rest of
    /// [`CALL_TARGETS`].
    const FAN: usize = 4;

    /// Interrupts a CPU, which then calls [`Fabric::drain`] when it next is outside a critical section.
    ///
    /// All stores before it must be visible to the target's handler. Does not call the fabric.
    fn ring(&self, crit: &Crit, to: CpuId);

    /// Gives some more rings when the reserve of this CPU is empty, if it can without leaving the critical section.
    /// Does not call the fabric.
    fn restock<const DEPTH: usize>(&self, crit: &Crit) -> &'static mut [Ring<DEPTH>] {
        let _ = crit;
        &mut []
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
/// read, should stay below a ring's depth times the reserve. The counter `held` tells that this limit was met, before
/// anything can stand still because of it. Hence the rule for calls: a call sends to at most `CALL_TARGETS` CPUs.
#[derive(Debug)]
pub struct Fabric<B, const CPUS: usize = MAX_CPUS, const DEPTH: usize = RING_DEPTH> {
    bell: B,
    nodes: PerCpu<Node<DEPTH>, CPUS>,
    incoming: PerCpu<Incoming<CPUS, DEPTH>, CPUS>,
    marked: PerCpu<Marked<DEPTH>, CPUS>,
    masters: PerCpu<Master, CPUS>,
    trees: PerCpu<Tree<CPUS>, CPUS>,
    arrived: PerCpu<Arrived<CPUS>, CPUS>,
    listening: AtomicCpuSet,
}

/// To how many CPUs a call may send; a reserve that is below it asks for more.
pub const CALL_TARGETS: usize = 6;

impl<B: Bell, const CPUS: usize, const DEPTH: usize> Fabric<B, CPUS, DEPTH> {
    percpu::maybe_const! {
        /// Makes a fabric without a ring.
        pub fn new(bell: B) -> Self {
            Fabric {
                bell,
                nodes: PerCpu::new(array_of![Block::new(Node::new()); CPUS]),
                incoming: PerCpu::new(array_of![Block::new(Incoming::new()); CPUS]),
                marked: PerCpu::new(array_of![Block::new(Marked::new()); CPUS]),
                masters: PerCpu::new(array_of![Block::new(Master::new()); CPUS]),
                trees: PerCpu::new(array_of![Block::new(Tree::new()); CPUS]),
                arrived: PerCpu::new(array_of![Block::new(Arrived::new()); CPUS]),
                listening: AtomicCpuSet::new(),
            }
        }
    }

    /// Adds rings to the reserve of this CPU: one for each CPU that it will send to, and [`CALL_TARGETS`] or more for its calls.
    pub fn stock(&self, crit: &Crit, rings: &'static mut [Ring<DEPTH>]) {
        self.nodes.here::<B>(crit).state.with(crit, |state| {
            rings.iter().for_each(|ring| state.reserve.put(ring));
        });
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

    pub(crate) fn masters(&self) -> &PerCpu<Master, CPUS> {
        &self.masters
    }

    pub(crate) fn trees(&self) -> &PerCpu<Tree<CPUS>, CPUS> {
        &self.trees
    }

    pub(crate) fn arrived(&self) -> &PerCpu<Arrived<CPUS>, CPUS> {
        &self.arrived
    }

    #[inline(always)]
    pub(crate) fn listening(&self) -> &AtomicCpuSet {
        &self.listening
    }

    /// From now on this CPU gets what is sent to sets: it serves.
    pub fn listen(&self, crit: &Crit) {
        self.listening.insert(B::here(crit));
    }

    /// From now on this CPU is left out of what is sent to sets. Whoever stops a CPU sees to it that nobody is about to send to it:
    /// what it was sent by then it serves still.
    pub fn stop_listening(&self, crit: &Crit) {
        self.listening.remove(B::here(crit));
    }

    pub(crate) fn has_ring(&self, me: CpuId, to: CpuId) -> bool {
        self.ring_to(me, to).is_some()
    }

    /// Returns what interrupts.
    pub fn bell(&self) -> &B {
        &self.bell
    }
}
