//! What a message costs while many CPUs send: in pairs, and all to one.
//!
//! Everybody sends as fast as he gets answers, and a sample is what all CPUs executed, divided by the messages that were executed.

use crate::questions::{Asked, Pending, check_pending, executed};
use crate::steps::{here, spin};
use bench_api::{Bencher, Curve, Peer, Unit};
use kernel_core::cpu;
use percpu::CpuId;

/// Questions to another CPU, and the wait for the answers.
fn round(me: usize, to: CpuId, questions: u64) {
    let asked = Asked::by(me, to, questions);
    while !asked.is_answered() {
        arch::irq::pause();
    }
}

/// Rounds of a sample.
const ROUNDS: u64 = 32;
/// A hundredth of an instruction is told apart.
const SCALE: u64 = 100;

/// Questions of the first CPU to the second; `peer` is what the others do, and `asks` who of them asks the second, too.
fn measure(
    b: &mut Bencher<'_>,
    questions: u64,
    asks: fn(CpuId) -> bool,
    peer: impl Fn(&Peer<'_>) + Sync,
) {
    let to = CpuId::at(1);
    let cpus = b.cpus();
    b.check(here() == CpuId::BOOT, "benchmarks run on the first CPU");
    b.ops(SCALE);
    b.samples(100);
    b.on_each(1..cpus, peer, |b| {
        let mut pending = 0;
        b.iter_count(|_| {
            let (window, messages) = (Pending::begin(to, asks), executed());
            let start = arch::time::tsc();
            (0..ROUNDS).for_each(|_| round(0, to, questions));
            let ticks = arch::time::tsc() - start;
            let messages = executed() - messages;
            pending = pending.max(window.most());
            ticks * SCALE / messages
        });
        check_pending(b, pending);
    });
}

bench_api::bench! {
    name: "ipi/neighbours",
    doc: "All CPUs in pairs: one of each asks the other, which answers, all pairs at once; work of all CPUs by each message.",
    cpus: 2,
    curve: Curve::Cpus,
    unit: Unit::Count("ticks a message"),
    lies: "A CPU without a neighbour spins, and so does one that waits: turns of waits are work. With one pair they are two CPUs' turns.",
    shape: "flat in CPUs: pairs share nothing",
    run: |b| measure(b, 1, |cpu| cpu == CpuId::BOOT, |peer| {
        let me = peer.cpu();
        if me % 2 == 1 || me + 1 == cpu::count() {
            return spin(peer);
        }
        while !peer.stopped() {
            round(me, CpuId::at(me + 1), 1);
        }
    }),
}

bench_api::bench! {
    name: "ipi/fan_in",
    doc: "All CPUs but one ask that one, eight questions at a time, and wait for its answers; work of all CPUs by each message.",
    cpus: 2,
    unit: Unit::Count("ticks a message"),
    lies: "Turns of those who wait are work too, and there are more of them with more CPUs.",
    shape: "flat in senders, apart from their waits; one doorbell for all who send while it is pending",
    run: |b| measure(b, 8, |cpu| cpu != CpuId::at(1), |peer| {
        if peer.cpu() == 1 {
            return spin(peer);
        }
        while !peer.stopped() {
            round(peer.cpu(), CpuId::at(1), 8);
        }
    }),
}
