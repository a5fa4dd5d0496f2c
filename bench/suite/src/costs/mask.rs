//! What a message to each CPU of a set costs.

use crate::steps::{here, spin};
use core::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Release},
};
use kernel_core::{cpu::critical, ipi};
use percpu::{CpuId, CpuSet, Crit};

/// Messages that arrived, on all CPUs.
static ARRIVED: AtomicU64 = AtomicU64::new(0);

fn arrive(_: &Crit, _: usize, _: usize, _: usize) {
    // Pairs with: the sender's wait, acquire.
    ARRIVED.fetch_add(1, Release);
}

/// The CPUs that are sent to.
const OTHERS: usize = 3;

bench_api::bench! {
    name: "ipi/mask",
    doc: "A message to three other CPUs, which spin, until all three have executed it: work of all four CPUs, by each of the three.",
    cpus: OTHERS + 1,
    lies: "Turns of the wait are work too.",
    shape: "flat in CPUs that are not in the set",
    run: |b| {
        let set: CpuSet = (1..=OTHERS).map(CpuId::at).collect();
        b.check(here() == CpuId::BOOT, "benchmarks run on the first CPU");
        b.ops(OTHERS as u64);
        // Where more CPUs spin than the host has, each turn takes milliseconds.
        b.samples(100).batch(1);
        b.on_each(1..OTHERS + 1, spin, |b| {
            let mut sent = ARRIVED.load(Acquire);
            b.iter(|| {
                critical(|crit| ipi::send_mask(crit, &set, arrive, [0; 3]));
                sent += OTHERS as u64;
                // Pairs with: `arrive`, release.
                while ARRIVED.load(Acquire) < sent {
                    arch::irq::pause();
                }
            });
            b.check(ARRIVED.load(Acquire) == sent, "each message arrived, once");
        });
    },
}
