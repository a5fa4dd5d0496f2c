//! What it costs to send a message, and to get it back before anybody has received it.

use crate::environment::may_block;
use crate::steps::{Ask, here, other, partner};
use bench_api::Bencher;
use lwkt_port::{Error, Port, ThreadPort};
use percpu::CpuId;

/// Where nobody receives before all is over, and where its owner waits for that.
static PORT: ThreadPort<Ask> = ThreadPort::new();
static OVER: ThreadPort<Ask> = ThreadPort::new();

fn abort(b: &mut Bencher<'_>, cpu: CpuId) {
    let mut cx = may_block();
    let owner = partner(cpu, |cx| {
        let _closes = PORT.claim(cx).expect("its port is assigned to this thread");
        OVER.claim(cx).expect("as above").receive(cx).reply(1);
    });
    assert!(PORT.assign(owner.thread()) && OVER.assign(owner.thread()), "they had no owner");
    // It waits before the clock runs, as it does later.
    kernel_core::thread::sleep(&mut cx, 100_000);
    let (mut message, mut aborted) = (Some(Ask::owned(0)), 0);
    b.iter(|| {
        let asked = message.take().map(|message| PORT.send(message).abort());
        message = asked.map(|asked| {
            let (reply, message) = asked.wait(&mut cx).take();
            aborted += u64::from(reply == Err(Error::Aborted));
            message
        });
    });
    b.check(aborted > 2, "each message came back without a reply of the receiver's");
    message.into_iter().for_each(Ask::free);
    assert!(OVER.do_(&mut cx, &mut Ask::after(0)) == Ok(1), "the owner answers, and goes");
    owner.join(&mut cx);
}

bench_api::bench! {
    name: "port/abort",
    doc: "`send` to a thread port of this CPU, `abort` while the message is queued, `wait`: out of the queue and back, no switch.",
    lies: "The queue is empty but for this message: the request walks past those before it.",
    shape: "linear in messages that wait before it, flat in all else",
    run: |b| abort(b, here()),
}

bench_api::bench! {
    name: "port/abort_cross",
    doc: "As port/abort, at a thread port of another, halted CPU: message, request and answer travel as calls; work of both CPUs.",
    cpus: 2,
    lies: "Message and request are two calls under one doorbell, if the CPU has not looked between them. Counts work, says nothing of latency.",
    shape: "as port/abort",
    run: |b| abort(b, other()),
}
