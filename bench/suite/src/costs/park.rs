//! What it costs to take CPUs out of whatever they do, and to let them go.

use crate::steps::{here, spin};
use bench_api::Bencher;
use core::hint::black_box;
use kernel_core::ipi;
use percpu::{CpuId, CpuSet};

/// Parks this many other CPUs, which spin, and lets them go.
fn park(b: &mut Bencher<'_>, others: usize) {
    let set: CpuSet = (1..=others).map(CpuId::at).collect();
    b.check(here() == CpuId::BOOT, "benchmarks run on the first CPU");
    // Where more CPUs spin than the host has, each turn takes milliseconds.
    b.samples(100).batch(1);
    b.on_each(1..others + 1, spin, |b| {
        let obeyed =
            || -> u64 { set.iter().map(|cpu| ipi::fabric().counters(cpu).obeyed.get()).sum() };
        let (before, mut rounds) = (obeyed(), 0);
        b.iter(|| {
            ipi::park(&set, |_, parked| black_box(parked.others()));
            rounds += 1;
        });
        // The last ones may not have noticed yet that they were let go; the next park waits for that.
        ipi::park(&CpuSet::EMPTY, |_, _| ());
        b.check(obeyed() - before == rounds * others as u64, "each was let go, each time");
    });
}

bench_api::bench! {
    name: "ipi/park_1",
    doc: "One CPU, which spins with interrupts on, is parked and let go: work of both CPUs.",
    cpus: 2,
    lies: "Its turns while it is parked are work too: an interrupt on its way to somebody else would add some.",
    shape: "flat in CPUs",
    run: |b| park(b, 1),
}

bench_api::bench! {
    name: "ipi/park_3",
    doc: "Three CPUs, which spin with interrupts on, are parked and let go: work of all four CPUs.",
    cpus: 4,
    lies: "As for ipi/park_1; those that come first wait for the last.",
    shape: "linear in the CPUs that are parked; the release is one store for all",
    run: |b| park(b, 3),
}
