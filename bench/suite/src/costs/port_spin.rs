//! What a message to a port with a lock and its reply cost.

use crate::steps::{Ask, answer_all, here, measure_do, other, partner};
use bench_api::Bencher;
use lwkt_port::SpinPort;
use percpu::CpuId;

static PORT: SpinPort<Ask> = SpinPort::new();

fn spin(b: &mut Bencher<'_>, cpu: CpuId) {
    let mut receiver = PORT.receiver();
    let server = partner(cpu, move |cx| answer_all(|| receiver.receive(cx)));
    measure_do(b, &PORT, server);
}

bench_api::bench! {
    name: "port/spin",
    doc: "`do` to a spin port at which a thread of this CPU waits: lock, message queued, waiter taken and woken, its reply, the sender woken.",
    lies: "The lock is free always: what it costs when several CPUs want it is a matter of cache lines, which mode insns does not count.",
    shape: "flat in receivers, CPUs and threads",
    run: |b| spin(b, here()),
}

bench_api::bench! {
    name: "port/spin_cross",
    doc: "As port/spin, with the receiver on another, halted CPU: the message is queued from here, and the wake travels; work of both CPUs.",
    cpus: 2,
    lies: "As for port/spin. Counts work, says nothing of latency.",
    shape: "flat in receivers, CPUs and threads",
    run: |b| spin(b, other()),
}
