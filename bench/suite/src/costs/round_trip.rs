//! What a message to another CPU and one back cost, with an interrupt on each side.

use crate::steps::{other, spin};
use core::sync::atomic::{
    AtomicBool,
    Ordering::{Acquire, Relaxed, Release},
};
use kernel_core::{cpu::critical, ipi};
use percpu::{CpuId, Crit};

static BACK: AtomicBool = AtomicBool::new(false);

fn ping(crit: &Crit, from: usize, _: usize, _: usize) {
    ipi::send(crit, CpuId::at(from), pong, [0; 3]);
}

fn pong(_: &Crit, _: usize, _: usize, _: usize) {
    // Pairs with: the sender's wait, acquire.
    BACK.store(true, Release);
}

bench_api::bench! {
    name: "ipi/round_trip",
    doc: "A message to a CPU that runs a thread, whose function sends one back: two doorbells, two interrupts, work of both CPUs.",
    cpus: 2,
    lies: "A target that drains when the message comes is not interrupted; the counters would show it.",
    shape: "flat in CPUs",
    run: |b| {
        let (from, to) = (crate::steps::here(), other());
        b.on(to.index(), spin, |b| {
            let before = ipi::fabric().counters(to).rung.get();
            b.iter(|| {
                BACK.store(false, Relaxed);
                critical(|crit| ipi::send(crit, to, ping, [from.index(), 0, 0]));
                // Pairs with: `pong`, release.
                while !BACK.load(Acquire) {
                    arch::irq::pause();
                }
            });
            let rung = ipi::fabric().counters(to).rung.get() - before;
            b.check(rung > 0, "the other CPU rang back");
        });
    },
}
