//! Pages and bytes, taken on one CPU and given back on another.

use crate::registry::{Run, Verdict, check, ensure};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use arch::layout::Phys;
use kernel_core::{cpu, ipi, memory};
use lwkt_sched::MayBlock;
use percpu::CpuId;

check! {
    name: "kernel/memory",
    doc: "Pages and heap of all sizes, taken here and given back elsewhere: all different, all back.",
    kind: Test,
    run: conservation,
}

/// Pages that are taken at once: more than a CPU keeps at hand.
const PAGES: usize = 200;
/// Sizes of heap blocks, both sides of what small objects are.
const SIZES: [usize; 9] = [1, 16, 17, 64, 500, 2048, 2049, 5000, 100_000];

fn conservation(_: &mut Run<'_>, _: &mut MayBlock) -> Verdict {
    let mut pages: Vec<Phys> = Vec::with_capacity(PAGES);
    let before = held();
    for cpu in cpu::all() {
        let next = CpuId::at((cpu.id().index() + 1) % cpu::count());
        cpu::critical(|crit| pages.extend((0..PAGES).map_while(|_| memory::take_zeroed(crit))));
        ensure!(pages.len() == PAGES, "only {} pages of {PAGES}", pages.len());
        let dirty = pages.iter().position(|page| content(*page).iter().any(|word| *word != 0));
        ensure!(dirty.is_none(), "a zeroed page holds something");
        pages.sort_unstable();
        ensure!(pages.windows(2).all(|two| two[0] != two[1]), "a page was given twice");
        let blocks: Vec<Box<[u8]>> =
            SIZES.iter().map(|size| vec![0xa5; *size].into_boxed_slice()).collect();
        let all = &mut pages;
        ipi::call(next, move |crit| {
            drop(blocks);
            all.drain(..).for_each(|page| memory::put(crit, page));
        });
    }
    let after = held();
    ensure!(before == after, "pages and bytes in use were {before:?} and are {after:?}");
    Ok(String::new())
}

/// Pages, apart from those that small objects share, and bytes.
fn held() -> (u64, u64) {
    (memory::frames_in_use().wrapping_sub(memory::heap_pages()), memory::heap_in_use())
}

fn content(page: Phys) -> &'static [u64] {
    // SAFETY: the page is the test's own until it puts it back, and the direct map shows it.
    unsafe { core::slice::from_raw_parts(page.as_ptr::<u64>(), arch::layout::PAGE / 8) }
}
