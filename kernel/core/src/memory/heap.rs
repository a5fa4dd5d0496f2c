//! The kernel heap: small objects from per-CPU magazines, large ones from a general allocator.
//!
//! ```text
//!   CPU's magazine ──half a magazine──▶ depot of the class ──a page──▶ frames
//! ```
//! An object may be freed on any CPU; it goes to that CPU's magazine. Pages of small objects stay with their class.
//! Law: a depot's lock and the general heap's are taken inside a critical section only.

use super::{frames, refusal};
use crate::cpu;
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicU64, Ordering};
use memory::Magazine;
use memory::classes::{CLASSES, class_of, per_page, size_of_class};
use percpu::Crit;
use spin::Mutex;
use talc::TalcLock;
use talc::source::Manual;

/// Objects of one class that a CPU keeps at hand.
type Objects = Magazine<32>;

/// What a CPU keeps at hand.
pub(crate) struct HeapCache {
    classes: [Objects; CLASSES],
}

impl HeapCache {
    pub(crate) const fn new() -> Self {
        Self { classes: [const { Objects::new() }; CLASSES] }
    }
}

/// Free objects of a class that are in no magazine, linked through their first words.
struct Depot(usize);

static DEPOTS: [Mutex<Depot>; CLASSES] = [const { Mutex::new(Depot(0)) }; CLASSES];
static LARGE: TalcLock<spin::Mutex<()>, Manual> = TalcLock::new(Manual);

impl Depot {
    fn is_empty(&self) -> bool {
        self.0 == 0
    }

    fn take(&mut self) -> Option<u64> {
        let object = self.0;
        if object == 0 {
            return None;
        }
        // SAFETY: objects in a depot are free, mapped, at least 16 bytes and aligned; `put` wrote the link.
        self.0 = unsafe { (object as *const usize).read() };
        Some(object as u64)
    }

    fn put(&mut self, object: u64) {
        // SAFETY: the object was just freed by its only owner, and is at least 16 bytes and aligned.
        unsafe { (object as *mut usize).write(self.0) };
        self.0 = object as usize;
    }
}

/// Pages that small objects have taken, for good.
static PAGES: AtomicU64 = AtomicU64::new(0);

/// Pages that the heap's small objects share: they stay with it, free objects and all.
pub fn pages() -> u64 {
    PAGES.load(Ordering::Relaxed)
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
// 1. A block is in exactly one place: with its user, in a magazine, in a depot, or in `LARGE`.
// 2. Small blocks are aligned to their size, since pages are and classes are powers of two.
// 3. Magazines are touched by their CPU in a critical section, depots and `LARGE` under their lock.
unsafe impl GlobalAlloc for Heap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        cpu::critical(|crit| {
            let Some(class) = class_of(layout.size(), layout.align()) else {
                return large(crit, layout);
            };
            let cpu = cpu::here();
            let object = cpu
                .heap
                .with(crit, |heap| heap.classes[class].pop())
                .or_else(|| refill(crit, class));
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
            cpu.heap.with(crit, |heap| {
                let magazine = &mut heap.classes[class];
                if magazine.push(block as u64).is_err() {
                    let mut depot = DEPOTS[class].lock();
                    magazine.spill(|object| depot.put(object));
                    // One that spilled a batch has room; a closed one never has.
                    if magazine.push(block as u64).is_err() {
                        depot.put(block as u64);
                    }
                }
            });
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

/// Fills this CPU's magazine from the depot, or a fresh page, and takes one.
#[cold]
fn refill(crit: &Crit, class: usize) -> Option<u64> {
    if refusal::strikes() {
        return None;
    }
    let mut depot = DEPOTS[class].lock();
    if depot.is_empty() {
        let Some(page) = frames::take(crit) else { return refusal::dry(&refusal::OBJECTS) };
        PAGES.fetch_add(1, Ordering::Relaxed);
        for index in (0..per_page(class)).rev() {
            depot.put((page.virt() + index * size_of_class(class)) as u64);
        }
    }
    let object = depot.take();
    cpu::here().heap.with(crit, |heap| {
        for _ in 1..Objects::BATCH {
            let Some(more) = depot.take() else { break };
            // One that is empty takes a batch; a closed one takes nothing.
            if heap.classes[class].push(more).is_err() {
                depot.put(more);
                break;
            }
        }
    });
    object
}

/// Closes or opens what this CPU keeps at hand: see [`Magazine`].
pub(super) fn keep_at_hand(crit: &Crit, keep: bool) {
    cpu::here().heap.with(crit, |heap| {
        for (magazine, depot) in heap.classes.iter_mut().zip(&DEPOTS) {
            if keep { magazine.open() } else { magazine.close(|object| depot.lock().put(object)) }
        }
    });
}
