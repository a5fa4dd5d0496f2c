//! What a message costs that is in no hurry.

use crate::steps::here;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use ipiq::{Call, RING_DEPTH};
use kernel_core::{cpu::critical, ipi};
use percpu::Crit;

static ARRIVED: AtomicU64 = AtomicU64::new(0);

fn arrive(_: &Crit, _: usize, _: usize, _: usize) {
    ARRIVED.store(ARRIVED.load(Relaxed) + 1, Relaxed);
}

/// Messages in a row: one more would be sent as others are, with a doorbell.
const ROW: u64 = RING_DEPTH as u64 / 4 - 1;

bench_api::bench! {
    name: "ipi/passive",
    doc: "A passive message from a CPU to itself, and its part of the look that finds it: seven at a time.",
    lies: "The look is shared by seven; one alone pays all of it. To another CPU the same, and no interrupt either.",
    shape: "constant",
    run: |b| {
        b.ops(ROW);
        let (fabric, me) = (ipi::fabric(), here());
        let passive = &fabric.counters(me).passive;
        let (mut sent, before) = (ARRIVED.load(Relaxed), passive.get());
        let first = sent;
        b.iter(|| critical(|crit| {
            for _ in 0..ROW {
                fabric.send_passive(crit, me, Call::new(arrive, [0; 3]));
            }
            fabric.tick(crit);
            sent += ROW;
        }));
        b.check(ARRIVED.load(Relaxed) == sent, "each message arrived, once");
        b.check(passive.get() - before == sent - first, "none of them rang");
    },
}
