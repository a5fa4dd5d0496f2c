//! The kernel heap: small objects from per-CPU magazines and slabs, large ones from a general allocator.
//!
//! ```text
//!   CPU's magazine ──half a magazine──▶ CPU's slabs ──a page──▶ frames
//! ```
//! An object may be freed on any CPU; it goes to that CPU's magazine, and from there back to the CPU of its slab, by the way that
//! `memory::remote` has. Law: small objects take no lock; the general heap's is taken inside a critical section only.

mod home;

pub(crate) use home::{IS_FETCHED, fetch};

use super::{frames, refusal};
use crate::{cpu, ipi};
use arch::layout::Phys;
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::null_mut;
use home::{DIRECT, leave};
use memory::classes::{class_of, size_of_class};
use memory::remote::RemoteFree;
use percpu::Crit;
use talc::TalcLock;
use talc::source::Manual;

static LARGE: TalcLock<spin::Mutex<()>, Manual> = TalcLock::new(Manual);

/// Pages that small objects share: they are the heap's, free objects and all. Exact while no CPU allocates.
pub fn pages() -> u64 {
    cpu::all().fold(0, |sum, cpu| sum.wrapping_add(cpu.counters.slabs.get()))
}

/// Small objects that are in use, at hand, or freed and not home yet, over all CPUs. Exact while no CPU allocates.
pub fn objects_out() -> usize {
    let out = |crit: &Crit| cpu::here().heap.with(crit, |objects| objects.out());
    cpu::all().map(|cpu| ipi::call(cpu.id(), out)).sum()
}

/// Gives the general heap its arena. Boot only; false when there is no such memory.
pub(crate) fn init(bytes: usize) -> bool {
    let Some(arena) = frames::take_run(bytes) else { return false };
    // SAFETY: the run is ours for good, mapped by the direct map, and nothing else knows it.
    unsafe { LARGE.lock().claim(arena as *mut u8, bytes) }.is_some()
}

/// Bytes in use, over all CPUs. Exact while no CPU allocates.
pub fn in_use() -> u64 {
    cpu::all().fold(0, |sum, cpu| sum.wrapping_add(cpu.counters.heap.get()))
}

/// Bytes that the heap counts for a block of words, of so many bytes.
pub(crate) fn footprint(bytes: usize) -> usize {
    match class_of(bytes, align_of::<u64>()) {
        _ if bytes == 0 => 0,
        Some(class) => size_of_class(class),
        None => bytes,
    }
}

/// The kernel's allocator.
pub struct Heap;

// SAFETY:
// 1. A block is in exactly one place: with its user, in a magazine, in a slab, on its way to one, or in `LARGE`.
// 2. Small blocks are aligned as their class is (`memory::classes`), since pages are.
// 3. Magazines and slabs are touched by their CPU in a critical section, `LARGE` under its lock.
unsafe impl GlobalAlloc for Heap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        cpu::critical(|crit| {
            let Some(class) = class_of(layout.size(), layout.align()) else {
                return large(crit, layout);
            };
            let cpu = cpu::here();
            let object =
                cpu.heap.with(crit, |objects| objects.pop(class)).or_else(|| refill(crit, class));
            let Some(object) = object else { return null_mut() };
            cpu.counters.heap.add(crit, size_of_class(class) as u64);
            object as *mut u8
        })
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        cpu::critical(|crit| {
            let cpu = cpu::here();
            let Some(class) = class_of(layout.size(), layout.align()) else {
                cpu.counters.heap.add(crit, (layout.size() as u64).wrapping_neg());
                // SAFETY: the caller promises that `block` came from `alloc` with this layout, hence from `LARGE`.
                unsafe { LARGE.dealloc(block, layout) };
                return;
            };
            cpu.counters.heap.add(crit, (size_of_class(class) as u64).wrapping_neg());
            if cpu.heap.with(crit, |objects| objects.push(class, block as u64)).is_err() {
                spill(crit, class, block as u64);
            }
        });
    }
}

#[cold]
fn large(crit: &Crit, layout: Layout) -> *mut u8 {
    if refusal::strikes() {
        return null_mut();
    }
    // SAFETY: the layout is not empty: `class_of` serves every size up to half a page.
    let block = unsafe { LARGE.alloc(layout) };
    if block.is_null() {
        return refusal::dry(&refusal::BLOCKS).unwrap_or(null_mut());
    }
    cpu::here().counters.heap.add(crit, layout.size() as u64);
    block
}

/// Takes an object of this CPU's slabs, or of a fresh one, and has more at hand afterwards.
#[cold]
fn refill(crit: &Crit, class: usize) -> Option<u64> {
    if refusal::strikes() {
        return None;
    }
    if IS_FETCHED {
        fetch(crit);
    }
    let cpu = cpu::here();
    cpu.freed.retry(&DIRECT, crit);
    let take = || cpu.heap.with(crit, |objects| objects.refill(&DIRECT, class));
    let object = take().or_else(|| {
        let Some(page) = frames::take(crit) else {
            while IS_FETCHED && fetch(crit) {}
            return take();
        };
        cpu.counters.slabs.add(crit, 1);
        cpu.heap.with(crit, |objects| {
            objects.adopt(&DIRECT, page.virt() as u64, cpu.id(), class);
        });
        take()
    });
    object.or_else(|| refusal::dry(&refusal::OBJECTS))
}

/// Frees an object that this CPU's magazine has no place for, and makes some.
#[cold]
fn spill(crit: &Crit, class: usize, object: u64) {
    let cpu = cpu::here();
    cpu.freed.retry(&DIRECT, crit);
    cpu.heap.with(crit, |objects| {
        objects.spill(&DIRECT, cpu.id(), class, object, |leaving| leave(crit, leaving));
    });
}

/// A page of this CPU is no slab any more.
fn give_back(crit: &Crit, page: u64) {
    cpu::here().counters.slabs.add(crit, u64::MAX);
    frames::put(crit, Phys::of_direct(page as usize));
}

/// Closes or opens what this CPU keeps at hand: see [`memory::Magazine`].
pub(super) fn keep_at_hand(crit: &Crit, keep: bool) {
    let cpu = cpu::here();
    cpu.freed.retry(&DIRECT, crit);
    cpu.heap.with(crit, |objects| {
        if keep {
            objects.open();
        } else {
            objects.close(&DIRECT, cpu.id(), |leaving| leave(crit, leaving));
        }
    });
    while !keep && IS_FETCHED && fetch(crit) {}
}
