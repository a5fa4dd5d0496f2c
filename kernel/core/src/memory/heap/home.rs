//! How objects that were freed elsewhere come back to their CPU's slabs, here.

use super::give_back;
use crate::cpu::{self, Machine, here};
use crate::ipi;
use ipiq::Call;
use memory::objects::Leaving;
use memory::remote::{Chosen, RemoteFree, Road};
use memory::{PAGE, Words};
use percpu::{CpuId, Crit, Here};

/// Whether what comes back has to be fetched.
pub(crate) const IS_FETCHED: bool = Chosen::IS_FETCHED;

/// Objects that are fetched at once: what a CPU does about it in one critical section.
const AT_ONCE: usize = 64;

/// Free objects and slabs, seen through the direct map.
pub(super) struct Direct;

/// The one there is.
pub(super) const DIRECT: Direct = Direct;

impl Words for Direct {
    #[inline(always)]
    fn read(&self, address: u64) -> u64 {
        // SAFETY:
        // 1. It is a word of a slab's head or of an object that is free: mapped for good, aligned (`memory::slab`).
        // 2. A head's other words are touched by its CPU alone; the one that all read changes only while no object of the slab is in use.
        // 3. An object that is free is its finder's alone; a message or the list's acquire has published what was written to it.
        unsafe { core::ptr::with_exposed_provenance::<u64>(address as usize).read() }
    }

    #[inline(always)]
    fn write(&self, address: u64, word: u64) {
        // SAFETY: as in `read`; heads are written by their CPU alone.
        unsafe { core::ptr::with_exposed_provenance_mut::<u64>(address as usize).write(word) };
    }
}

// SAFETY: the same answer as `Machine`'s.
unsafe impl Here for Direct {
    #[inline(always)]
    fn here(crit: &Crit) -> CpuId {
        Machine::here(crit)
    }
}

impl Road for Direct {
    type Way = Chosen;

    fn end(&self, cpu: CpuId) -> &Chosen {
        &cpu::on(cpu).freed
    }

    fn post(&self, crit: &Crit, owner: CpuId, first: u64) -> bool {
        let call = Call::new(come_home, [first as usize, 0, 0]);
        ipi::fabric().send_passive_nowait(crit, owner, call).is_ok()
    }
}

/// What this CPU has no more use for goes. Its objects are lent meanwhile: nothing here allocates or frees.
pub(super) fn leave(crit: &Crit, leaving: Leaving) {
    match leaving {
        Leaving::Page(page) => give_back(crit, page),
        Leaving::Chain(owner, chain) => {
            if crate::plant::loses_free() {
                return;
            }
            let cpu = here();
            cpu.counters.chains.add(crit, 1);
            probe::freed(owner.index() as u32, chain.first);
            cpu.freed.send(&DIRECT, crit, owner, chain);
        }
    }
}

/// A message: objects of this CPU were freed elsewhere.
fn come_home(crit: &Crit, first: usize, _: usize, _: usize) {
    let mut object = first as u64;
    while object != 0 {
        let next = DIRECT.read(object);
        settle(crit, object);
        object = next;
    }
}

/// Fetches objects that have come back, a bounded number; returns whether more are there.
pub(crate) fn fetch(crit: &Crit) -> bool {
    here().freed.fetch(&DIRECT, crit, AT_ONCE, |object| settle(crit, object))
}

fn settle(crit: &Crit, object: u64) {
    debug_assert!(!object.is_multiple_of(PAGE as u64), "a slab begins with its head");
    if let Some(page) = here().heap.with(crit, |objects| objects.settle(&DIRECT, object)) {
        give_back(crit, page);
    }
}
