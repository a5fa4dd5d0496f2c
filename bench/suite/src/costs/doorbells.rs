//! How many interrupts a thousand messages cost, in bursts of 32.
//!
//! Sender and target are cut short at seeded instants and hand over to one another (`kernel_core::chaos`); gaps between
//! the bursts are seeded too. A sample is one seed.

use crate::steps::{here, other};
use bench_api::{Bencher, Peer, Unit};
use core::hint::black_box;
use core::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Release},
};
use ipiq::Call;
use kernel_core::{chaos, cpu::critical, ipi};
use percpu::{CpuId, Crit};

const MESSAGES: u64 = 1000;
const BURST: u64 = 32;
const SEEDS: usize = 100;

/// Messages that arrived; the target alone counts.
static ARRIVED: AtomicU64 = AtomicU64::new(0);

fn arrive(_: &Crit, _: usize, _: usize, _: usize) {
    // Pairs with: the sender's wait, acquire.
    ARRIVED.store(ARRIVED.load(Acquire) + 1, Release);
}

/// Something to do without giving way.
fn work(turns: u64) {
    for turn in 0..turns {
        black_box(turn);
    }
}

/// A CPU with work of its own, parts of it in critical sections.
fn busy(peer: &Peer<'_>) {
    let mut random = 1;
    while !peer.stopped() {
        random = chaos::mix(random);
        critical(|_| work(random % 256));
        work(random >> 32 & 1023);
        arch::irq::pause();
    }
}

/// A CPU that looks for messages all the time.
fn poll(peer: &Peer<'_>) {
    let fabric = ipi::fabric();
    critical(|crit| fabric.poll_enter(crit));
    while !peer.stopped() {
        critical(|crit| fabric.drain(crit));
        arch::irq::pause();
    }
    critical(|crit| fabric.poll_exit(crit));
}

/// Counts the interrupts that this CPU asks for, a sample for each seed.
fn count(b: &mut Bencher<'_>, peer: impl Fn(&Peer<'_>) + Sync, send: fn(&Crit, CpuId, u64)) {
    let (to, seed) = (other(), b.seed());
    let mut sent = ARRIVED.load(Acquire);
    b.samples(SEEDS);
    b.on(to.index(), peer, |b| {
        b.iter_count(|number| {
            let mut random = chaos::mix(seed ^ (number as u64 + 1) << 32);
            chaos::set_seed(random | 1);
            let rung = &ipi::fabric().counters(here()).rung;
            let before = rung.get();
            let mut left = MESSAGES;
            while left > 0 {
                let burst = left.min(BURST);
                critical(|crit| send(crit, to, burst));
                left -= burst;
                random = chaos::mix(random);
                work(random & 1023);
                arch::irq::pause();
            }
            sent += MESSAGES;
            // Pairs with: `arrive`, release.
            while ARRIVED.load(Acquire) < sent {
                arch::irq::pause();
            }
            let rang = rung.get() - before;
            chaos::set_seed(0);
            rang
        });
        b.check(ARRIVED.load(Acquire) == sent, "each message arrived, once");
    });
}

fn burst(crit: &Crit, to: CpuId, count: u64) {
    ipi::send_burst(crit, to, (0..count).map(|_| Call::new(arrive, [0; 3])));
}

fn singly(crit: &Crit, to: CpuId, count: u64) {
    (0..count).for_each(|_| ipi::send(crit, to, arrive, [0; 3]));
}

bench_api::bench! {
    name: "ipi/doorbells",
    doc: "Interrupts for 1,000 messages sent in bursts of 32 to a CPU with other work, a sample for each of 100 seeds.",
    goal: "G15",
    cpus: 2,
    unit: Unit::Count("doorbells"),
    lies: "A sender that is never interrupted would find the target where it left it: hence the seeds.",
    shape: "at most one for each burst, whatever the order",
    run: |b| count(b, busy, burst),
}

bench_api::bench! {
    name: "ipi/doorbells_singly",
    doc: "As ipi/doorbells, but each message is sent by itself: a target that looks in the middle of a burst is interrupted again.",
    cpus: 2,
    unit: Unit::Count("doorbells"),
    lies: "As for ipi/doorbells.",
    shape: "one for each burst, and one for each time that the target looked in the middle of one",
    run: |b| count(b, busy, singly),
}

bench_api::bench! {
    name: "ipi/doorbells_polling",
    doc: "Interrupts for 1,000 messages, each sent by itself, to a CPU that polls.",
    cpus: 2,
    unit: Unit::Count("doorbells"),
    lies: "A target that stops polling would be interrupted; it does not before all have arrived.",
    shape: "0",
    run: |b| count(b, poll, singly),
}
