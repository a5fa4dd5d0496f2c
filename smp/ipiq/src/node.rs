//! What a fabric keeps for one CPU.

#[cfg(not(feature = "loom"))]
use percpu::MAX_CPUS;
use percpu::Own;
use percpu::sync::{AtomicPtr, AtomicUsize};

#[cfg(not(feature = "loom"))]
use crate::RING_DEPTH;
use crate::doorbell::Doorbell;
use crate::outbox::{Outbox, Reserve};
use crate::{Counters, Ring};

/// The part of a fabric that belongs to one CPU.
///
/// `doorbell` is written by all who send to it. `state` and `counters` are its own. `end` is written once by each source.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Node<const DEPTH: usize> {
    pub doorbell: Doorbell,
    pub state: Own<State<DEPTH>>,
    pub counters: Counters,
    pub end: End,
}

/// No source that has a ring to the CPU is at or above it.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct End(pub AtomicUsize);

/// The rings that lead to a CPU, by source; null where there is none yet. Each is written once by its source, and then read by
/// it and by the CPU.
#[derive(Debug)]
pub(crate) struct Incoming<const CPUS: usize, const DEPTH: usize>(
    pub [AtomicPtr<Ring<DEPTH>>; CPUS],
);

// Their distances are powers of two: a number becomes an address by one shift.
#[cfg(not(feature = "loom"))]
const _: () = {
    assert!(size_of::<percpu::Block<Node<RING_DEPTH>>>() == 512);
    assert!(size_of::<percpu::Block<Incoming<MAX_CPUS, RING_DEPTH>>>() == 8 * MAX_CPUS);
};

/// What only the CPU itself touches.
#[derive(Debug)]
pub(crate) struct State<const DEPTH: usize> {
    pub outbox: Outbox<DEPTH>,
    pub reserve: Reserve<DEPTH>,
    /// A call runs, or what it left is being settled.
    pub in_call: bool,
    /// What the doorbell's word is left at after a drain.
    pub rest: u64,
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
                    Own::new(State { outbox: Outbox::new(), reserve: Reserve::new(), in_call: false, rest: 0 })
                },
                counters: Counters::new(),
                end: End(AtomicUsize::new(0)),
            }
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
