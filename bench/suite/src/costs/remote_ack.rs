//! What a function on other CPUs costs whose end is waited for: on one that runs a thread, on one that is halted, and on
//! each further one.

use crate::steps::{here, other, spin};
use bench_api::{Bencher, Curve};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use kernel_core::ipi;
use percpu::{CpuId, CpuSet, Crit};

/// Runs of the function, on all CPUs.
static RUNS: AtomicU64 = AtomicU64::new(0);

fn count(_: &Crit, _: usize) {
    RUNS.fetch_add(1, Relaxed);
}

fn one(b: &mut Bencher<'_>) {
    let to = CpuSet::one(other());
    let (before, mut rounds) = (RUNS.load(Relaxed), 0);
    b.iter(|| {
        ipi::sync(&to, count, 0);
        rounds += 1;
    });
    b.check(RUNS.load(Relaxed) - before == rounds, "the function ran once for each wait");
}

bench_api::bench! {
    name: "ipi/remote_ack",
    doc: "A function on another CPU, which spins with interrupts on, and the wait until it has acknowledged: work of both CPUs.",
    goal: "G14",
    cpus: 2,
    curve: Curve::Cpus,
    lies: "Each turn of the waits is work too: where both CPUs run at once the figure is their speed, in mode insns it is two turns.",
    shape: "flat in CPUs",
    run: |b| b.on(other().index(), spin, one),
}

bench_api::bench! {
    name: "ipi/remote_ack_idle",
    doc: "As ipi/remote_ack, on a halted CPU: the way out of idle and back into it is added.",
    cpus: 2,
    lies: "A CPU that has not halted yet serves the message on its way there.",
    shape: "flat in CPUs",
    run: one,
}

bench_api::bench! {
    name: "ipi/remote_ack_further",
    doc: "The function on all other CPUs at once, which spin, less the function on one of them: by each CPU more.",
    cpus: 3,
    curve: Curve::Cpus,
    lies: "As for ipi/remote_ack.",
    shape: "flat: a loop up to 16 others, above these a tree, whose relays add their part",
    run: |b| {
        let last = b.cpus();
        let others: CpuSet = (1..last).map(CpuId::at).fold(CpuSet::EMPTY, |mut set, cpu| {
            set.insert(cpu);
            set
        });
        b.check(here() == CpuId::BOOT, "benchmarks run on the first CPU");
        b.ops(last as u64 - 2);
        let (before, mut rounds) = (RUNS.load(Relaxed), 0);
        b.on_each(1..last, spin, |b| {
            b.iter_ticks(|_| {
                let ticks = |to: &CpuSet| {
                    let start = arch::time::tsc();
                    ipi::sync(to, count, 0);
                    arch::time::tsc() - start
                };
                rounds += 1;
                let one = ticks(&CpuSet::one(other()));
                ticks(&others).saturating_sub(one)
            });
        });
        b.check(RUNS.load(Relaxed) - before == rounds * last as u64, "the function ran once on each CPU");
    },
}
