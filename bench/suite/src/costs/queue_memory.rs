//! How much memory the queues between CPUs take.

use crate::steps::nothing;
use bench_api::{Curve, Unit};
use kernel_core::{cpu, ipi};
use percpu::CpuId;

bench_api::bench! {
    name: "scale/queue_memory",
    doc: "Memory of all rings, doorbells and trees, when each CPU has sent to both its neighbours: 32 slots in a ring.",
    goal: "S4",
    curve: Curve::Cpus,
    unit: Unit::Count("KiB"),
    lies: "With few CPUs it says little: the goal is one for 255. A part, for 255 CPUs, is there however many there are.",
    shape: "a ring for each pair, up to 128 a CPU: a square up to 122 CPUs, linear above",
    run: |b| {
        let count = cpu::count();
        let dry = || -> u64 {
            cpu::all().map(|cpu| ipi::fabric().counters(cpu.id()).dry.get()).sum()
        };
        let before = dry();
        for me in 0..count {
            ipi::call(CpuId::at(me), |crit| {
                for neighbour in [me + 1, me + count - 1] {
                    ipi::send(crit, CpuId::at(neighbour % count), nothing, [0; 3]);
                }
            });
        }
        b.settle();
        b.check(dry() == before, "neighbours need no more than was set aside");
        b.samples(1).iter_count(|_| (ipi::ring_bytes() + size_of_val(ipi::fabric()) as u64).div_ceil(1024));
    },
}
