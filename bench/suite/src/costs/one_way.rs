//! What a message to another CPU costs until its function runs there.

use crate::steps::{other, spin};
use core::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use kernel_core::{clocks, cpu::critical, ipi};
use percpu::Crit;

/// When the message arrived; 0 until it did.
static ARRIVED: AtomicU64 = AtomicU64::new(0);

fn arrive(_: &Crit, _: usize, _: usize, _: usize) {
    // Pairs with: the sender's wait, acquire.
    ARRIVED.store(arch::time::tsc(), Release);
}

bench_api::bench! {
    name: "ipi/one_way",
    doc: "From the send of a message to a CPU that runs a thread, to the first instruction of its function there.",
    cpus: 2,
    lies: "Clocks of the two CPUs that differ by less than boot can see (not in mode insns: there it is one clock, and the sender's first look is in it).",
    shape: "flat in CPUs",
    run: |b| {
        let to = other();
        if !clocks::spread().agree() {
            return b.skip("the counters of the CPUs are apart: the head of the run says how far");
        }
        let mut late = 0_u64;
        b.on(to.index(), spin, |b| {
            b.iter_ticks(|_| {
                ARRIVED.store(0, Relaxed);
                let start = arch::time::tsc();
                critical(|crit| ipi::send(crit, to, arrive, [0; 3]));
                loop {
                    // Pairs with: `arrive`, release.
                    match ARRIVED.load(Acquire) {
                        0 => arch::irq::pause(),
                        arrived => break arrived.checked_sub(start).unwrap_or_else(|| { late += 1; 0 }),
                    }
                }
            });
            let insns = b.mode() == bench_api::Mode::Insns;
            b.check(!insns || late == 0, "no message arrives before it is sent");
        });
    },
}
