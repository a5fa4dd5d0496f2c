//! What the rings between CPUs take.

use crate::crew;
use crate::registry::{Run, Verdict, check, ensure};
use alloc::format;
use kernel_core::{cpu, ipi};
use lwkt_sched::MayBlock;
use percpu::{CpuId, Crit};

check! {
    name: "kernel/ring_memory",
    doc: "Boot sets the memory of rings aside: neighbours, and on up to 122 CPUs all with all, take no more; 255 CPUs 40 MiB at most.",
    kind: Test,
    run: ring_memory,
}

/// What all rings may take, with as many CPUs as there can be.
const MOST: u64 = 40 << 20;
/// CPUs of which each may talk to all without further memory.
const ALL_TO_ALL: usize = 122;

fn ring_memory(run: &mut Run<'_>, _: &mut MayBlock) -> Verdict {
    let cpus = cpu::count();
    let booted = ipi::ring_bytes();
    let send = |from: CpuId, to: usize| {
        ipi::call(from, move |crit| ipi::send(crit, CpuId::at(to % cpus), nothing, [0; 3]));
    };
    for from in cpu::all().map(cpu::Cpu::id) {
        send(from, from.index() + 1);
        send(from, from.index() + cpus - 1);
    }
    crew::settle();
    let neighbours = ipi::ring_bytes();
    let further = neighbours - booted;
    ensure!(further == 0, "neighbours took {further} bytes beyond what boot had set aside");
    ensure!(booted <= MOST, "rings take {booted} bytes after boot");
    if cpus <= ALL_TO_ALL {
        for from in cpu::all().map(cpu::Cpu::id) {
            (0..cpus).for_each(|to| send(from, to));
        }
        crew::settle();
        let further = ipi::ring_bytes() - booted;
        ensure!(further == 0, "all to all took {further} bytes beyond what boot had set aside");
    }
    run.count("ring_bytes", booted);
    Ok(format!("{booted} bytes for {cpus} CPUs"))
}

fn nothing(_: &Crit, _: usize, _: usize, _: usize) {}
