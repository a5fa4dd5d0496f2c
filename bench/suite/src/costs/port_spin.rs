//! What a message to a port with a lock and its reply cost.

use crate::environment::may_block;
use crate::steps::{Ask, here, other, partner};
use bench_api::Bencher;
use lwkt_port::{Port, SpinPort};
use percpu::CpuId;

static PORT: SpinPort<Ask> = SpinPort::new();

fn spin(b: &mut Bencher<'_>, cpu: CpuId) {
    let (mut cx, mut receiver) = (may_block(), PORT.receiver());
    let server = partner(cpu, move |cx| {
        loop {
            let message = receiver.receive(cx);
            let (answer, last) = (message.body().answer(), message.body().is_last());
            message.reply(answer);
            if last {
                return;
            }
        }
    });
    let mut message = Ask::after(0);
    b.iter(|| {
        let reply = PORT.do_(&mut cx, &mut message).unwrap_or(0);
        message.body().go_on(reply);
    });
    b.check(
        message.body().answer() > 2,
        "each message was answered, with the number after its own",
    );
    let goodbye = PORT.do_(&mut cx, &mut Ask::last());
    assert!(goodbye == Ok(1), "the server answers its last message");
    server.join(&mut cx);
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
