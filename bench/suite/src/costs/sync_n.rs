//! What a function on many CPUs costs, whose end on all of them is waited for, by each of these CPUs.

use crate::steps::{here, spin};
use bench_api::Bencher;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use kernel_core::ipi;
use percpu::{CpuId, CpuSet, Crit};

static RUNS: AtomicU64 = AtomicU64::new(0);

fn count(_: &Crit, _: usize) {
    RUNS.fetch_add(1, Relaxed);
}

fn sync(b: &mut Bencher<'_>, others: usize) {
    let set: CpuSet = (1..=others).map(CpuId::at).collect();
    b.check(here() == CpuId::BOOT, "benchmarks run on the first CPU");
    b.ops(others as u64);
    // Where more CPUs spin than the host has, each turn takes milliseconds.
    b.samples(100).batch(1);
    b.on_each(1..others + 1, spin, |b| {
        let (before, mut rounds) = (RUNS.load(Relaxed), 0);
        b.iter(|| {
            ipi::sync(&set, count, 0);
            rounds += 1;
        });
        b.check(
            RUNS.load(Relaxed) - before == rounds * others as u64,
            "the function ran once on each CPU",
        );
    });
}

bench_api::bench! {
    name: "ipi/sync_4",
    doc: "A function on four other CPUs, which spin, and the wait for all: work of all five CPUs, by each of the four.",
    cpus: 5,
    lies: "Turns of the wait are work too. Says nothing of latency.",
    shape: "a loop: constant for each CPU, up to 16",
    run: |b| sync(b, 4),
}

bench_api::bench! {
    name: "ipi/sync_16",
    doc: "As ipi/sync_4, on 16 other CPUs.",
    cpus: 17,
    lies: "As for ipi/sync_4.",
    shape: "as ipi/sync_4, less its share of the fixed part",
    run: |b| sync(b, 16),
}

bench_api::bench! {
    name: "ipi/sync_63",
    doc: "As ipi/sync_4, on 63 other CPUs: along a tree, six hops there and back.",
    goal: "S3",
    cpus: 64,
    lies: "As for ipi/sync_4.",
    shape: "constant for each CPU; hops grow with the logarithm",
    run: |b| sync(b, 63),
}

bench_api::bench! {
    name: "ipi/sync_254",
    doc: "As ipi/sync_4, on 254 other CPUs: along a tree, eight hops there and back.",
    cpus: 255,
    lies: "As for ipi/sync_4.",
    shape: "as ipi/sync_63",
    run: |b| sync(b, 254),
}
