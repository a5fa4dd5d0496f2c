//! What a fabric keeps for one CPU.

#[cfg(not(feature = "loom"))]
use percpu::MAX_CPUS;
use percpu::sync::{AtomicPtr, AtomicU64};
use percpu::{CpuId, CpuSet, Crit, Own, array_of, maybe_const};

#[cfg(not(feature = "loom"))]
use crate::RING_DEPTH;
use crate::doorbell::{Doorbell, GROUPS};
use crate::outbox::{Outbox, Reserve};
use crate::parked::Bonds;
use crate::{Call, Counters, Full, Ring};

/// The part of a fabric that belongs to one CPU.
///
/// `doorbell` is written by all who send to it. `state` and `counters` are its own. `shared` is written once by each source
/// that has no mark of its own.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Node<const DEPTH: usize> {
    pub doorbell: Doorbell,
    pub state: Own<State<DEPTH>>,
    pub counters: Counters,
    pub shared: Shared,
}

/// Marks that stand for more than one source.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Shared(pub AtomicU64);

/// The rings that lead to a CPU, by source; null where there is none yet. Each is written once by its source, and read by it alone.
#[derive(Debug)]
pub(crate) struct Incoming<const CPUS: usize, const DEPTH: usize>(
    pub [AtomicPtr<Ring<DEPTH>>; CPUS],
);

/// The rings that lead to a CPU, by mark: the first under each, which stays, and on which the others hang ([`Ring::sharer`]); null
/// where there is none. Each is written once, by its source, and read by the CPU.
#[derive(Debug)]
pub(crate) struct Marked<const DEPTH: usize>(pub [AtomicPtr<Ring<DEPTH>>; PLACES]);

/// Places in it; models have few CPUs, and each place costs them.
pub(crate) const PLACES: usize =
    if cfg!(feature = "loom") { 4 } else { GROUPS.next_power_of_two() };

// Their distances are powers of two: a number becomes an address by one shift.
#[cfg(not(feature = "loom"))]
const _: () = {
    // A simulator's numbers need not be quick.
    assert!(MAX_CPUS > 256 || size_of::<percpu::Block<Node<RING_DEPTH>>>() == 512);
    assert!(size_of::<percpu::Block<Incoming<MAX_CPUS, RING_DEPTH>>>() == 8 * MAX_CPUS);
    assert!(size_of::<percpu::Block<Marked<RING_DEPTH>>>() == 8 * PLACES);
};

/// What only the CPU itself touches.
#[derive(Debug)]
pub(crate) struct State<const DEPTH: usize> {
    pub outbox: Outbox<DEPTH>,
    pub reserve: Reserve<DEPTH>,
    /// A call runs, or what it left is being settled.
    pub in_call: bool,
    /// What keeps a drain from ending.
    pub unfinished: Unfinished,
    /// What the doorbell's word is left at after a drain.
    pub rest: u64,
    pub bonds: Bonds,
}

/// What keeps a drain from ending: bits of one word, so that the usual way tests them once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Unfinished(u8);

impl Unfinished {
    pub const NOTHING: Unfinished = Unfinished(0);
    /// Calls in the outbox.
    const OUTBOX: u8 = 1;
    /// Another CPU has parked this one.
    const PARKED: u8 = 2;

    fn with(self, bit: u8) -> Unfinished {
        Unfinished(self.0 | bit)
    }

    fn without(self, bit: u8) -> Unfinished {
        Unfinished(self.0 & !bit)
    }
}

impl<const DEPTH: usize> State<DEPTH> {
    /// Parks a call in the outbox; if there is no memory for it, it comes back.
    pub fn park(&mut self, crit: &Crit, to: CpuId, call: Call) -> Result<(), Full> {
        let parked = self.outbox.park(crit, &mut self.reserve, to, call);
        self.note_outbox();
        parked
    }

    /// Moves what there is room for from the outbox into the rings of its targets; returns these targets.
    pub fn flush(
        &mut self,
        crit: &Crit,
        ring_to: impl Fn(CpuId) -> &'static Ring<DEPTH>,
    ) -> CpuSet {
        let moved = self.outbox.flush(crit, &mut self.reserve, ring_to);
        self.note_outbox();
        moved
    }

    fn note_outbox(&mut self) {
        let rest = self.unfinished.without(Unfinished::OUTBOX);
        self.unfinished = if self.outbox.is_empty() { rest } else { rest.with(Unfinished::OUTBOX) };
    }

    /// Changes what this CPU has to do with masters.
    pub fn bind<R>(&mut self, change: impl FnOnce(&mut Bonds) -> R) -> R {
        let result = change(&mut self.bonds);
        let rest = self.unfinished.without(Unfinished::PARKED);
        self.unfinished = if self.bonds.is_parked() { rest.with(Unfinished::PARKED) } else { rest };
        result
    }
}

// SAFETY: its pointers are to rings that live for ever and that its CPU owns; which thread plays the CPU is all the same.
unsafe impl<const DEPTH: usize> Send for State<DEPTH> {}

impl<const DEPTH: usize> Node<DEPTH> {
    maybe_const! {
        pub fn new() -> Self {
            Node {
                doorbell: Doorbell::new(),
                // SAFETY: 1. `Fabric` reaches it through the node of the CPU that it is on (`Here`);
                // 2. no closure that this crate gives to `with` runs a call or calls the `Bell`.
                state: unsafe {
                    Own::new(State {
                        outbox: Outbox::new(),
                        reserve: Reserve::new(),
                        in_call: false,
                        unfinished: Unfinished::NOTHING,
                        rest: 0,
                        bonds: Bonds::NONE,
                    })
                },
                counters: Counters::new(),
                shared: Shared(AtomicU64::new(0)),
            }
        }
    }
}

impl<const DEPTH: usize> Marked<DEPTH> {
    maybe_const! {
        pub fn new() -> Self {
            Marked(array_of![AtomicPtr::new(core::ptr::null_mut()); PLACES])
        }
    }
}

impl<const CPUS: usize, const DEPTH: usize> Incoming<CPUS, DEPTH> {
    maybe_const! {
        pub fn new() -> Self {
            Incoming(array_of![AtomicPtr::new(core::ptr::null_mut()); CPUS])
        }
    }
}
