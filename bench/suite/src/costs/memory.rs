//! What memory costs when this CPU has it at hand: a small block of the heap, and a page frame.

use alloc::alloc::{alloc, dealloc};
use core::alloc::Layout;
use core::hint::black_box;
use kernel_core::{cpu::critical, memory};

bench_api::bench! {
    name: "kernel/alloc_heap",
    doc: "64 bytes allocated from the kernel heap and freed.",
    lies: "One block at a time never leaves the CPU's magazine; a refill, every 16th at worst, takes a shared lock.",
    shape: "flat in CPUs, and in the size up to half a page",
    run: |b| {
        let layout = black_box(Layout::new::<[u64; 8]>());
        let (before, mut failed) = (memory::heap_in_use(), 0_u64);
        b.batch(64);
        b.iter(|| {
            // SAFETY: the layout has a size.
            let block = black_box(unsafe { alloc(layout) });
            failed += u64::from(block.is_null());
            // SAFETY: allocated above with this layout; null would be a block of no magazine, and is counted as a failure.
            unsafe { dealloc(block, layout) };
        });
        b.check(failed == 0, "there is memory");
        b.check(memory::heap_in_use() == before, "what was allocated was freed");
    },
}

bench_api::bench! {
    name: "kernel/alloc_frame",
    doc: "A page frame taken and put back, its content left as it is.",
    lies: "One frame at a time never leaves the CPU's magazine; a refill, every 32nd at worst, takes a shared lock.",
    shape: "flat in CPUs and in memory",
    run: |b| {
        let (before, mut failed) = (memory::frames_in_use(), 0_u64);
        b.batch(64);
        b.iter(|| critical(|crit| match memory::take(crit) {
            Some(frame) => memory::put(crit, black_box(frame)),
            None => failed += 1,
        }));
        b.check(failed == 0, "there is memory");
        b.check(memory::frames_in_use() == before, "what was taken was put back");
    },
}
