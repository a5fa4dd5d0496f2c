//! What it costs to free what another CPU has allocated.

use crate::steps::{here, other, spin};
use alloc::boxed::Box;
use alloc::vec::Vec;
use kernel_core::{cpu, ipi, memory};

/// Blocks that are handed over at once: as many as four exchanges of a magazine.
const BLOCKS: usize = 64;

bench_api::bench! {
    name: "kernel/free_remote",
    doc: "64 bytes allocated here, freed on another CPU, and brought home: 64 blocks at a time, work of both CPUs, by each block.",
    cpus: 2,
    lies: "The call that has the other CPU free them, and turns of the wait for it, are shared by the 64.",
    shape: "constant",
    run: |b| {
        let to = other().index();
        b.ops(BLOCKS as u64);
        b.samples(200).batch(1);
        b.on_each(to..to + 1, spin, |b| {
            let chains = || cpu::on(other()).counters.chains.get();
            let (held, before, mut rounds) = (memory::heap_in_use(), chains(), 0);
            let mut blocks: Vec<Box<[u64; 8]>> = Vec::with_capacity(BLOCKS);
            b.iter(|| {
                blocks.extend((0..BLOCKS).map(|_| Box::new([0; 8])));
                let theirs = &mut blocks;
                ipi::call(other(), move |_| theirs.clear());
                cpu::critical(|crit| ipi::fabric().tick(crit));
                rounds += 1;
            });
            drop(blocks);
            b.check(here().index() != to && chains() - before >= rounds, "blocks came home all the time");
            b.check(memory::heap_in_use() == held, "what was allocated was freed");
        });
    },
}
