//! What a message of a batch to another CPU costs, with its reply, and how many interrupts that takes.

use crate::steps::{Ask, other, with_server};
use alloc::vec::Vec;
use bench_api::Bencher;
use lwkt_port::{Batch, Owned, Port, Replies, ReplyPort, ThreadPort};

const MESSAGES: u64 = 32;

static REPLIES: ReplyPort<Ask> = ReplyPort::new();

type Send = fn(&mut Vec<Owned<Ask>>, &'static ThreadPort<Ask>, &mut Replies<Ask>);

fn batch(b: &mut Bencher<'_>, send: Send) {
    with_server(other(), |cx, port| {
        let mut replies = REPLIES.claim(cx).expect("benchmarks use it one after the other");
        let mut messages: Vec<_> = (0..MESSAGES).map(Ask::owned).collect();
        let mut sum = 0;
        b.ops(MESSAGES).iter(|| {
            send(&mut messages, port, &mut replies);
            while let Some(replied) = replies.wait_any(cx) {
                let (reply, message) = replied.take();
                sum += reply.unwrap_or(0);
                messages.push(message);
            }
        });
        b.check(sum > 0 && sum.is_multiple_of(MESSAGES * (MESSAGES + 1) / 2), "all were answered");
        messages.into_iter().for_each(Ask::free);
    });
}

bench_api::bench! {
    name: "port/batch",
    doc: "32 messages in a `Batch` to a thread of another, halted CPU, and their replies; per message, work of both CPUs.",
    cpus: 2,
    lies: "The replies come one by one, and wake the sender when it waits. Counts work, says nothing of latency.",
    shape: "flat in CPUs, threads and ports; falls towards the cost of a message without its doorbell",
    run: |b| batch(b, |messages, port, replies| {
        let mut batch = Batch::new();
        messages.drain(..).for_each(|message| batch.add(port, message));
        batch.send(replies);
    }),
}

bench_api::bench! {
    name: "port/batch_singly",
    doc: "As port/batch, but each of the 32 messages is sent by itself.",
    cpus: 2,
    lies: "As for port/batch. Its doorbells are fewer than 32, as a target that has not looked yet is not rung again.",
    shape: "as port/batch",
    run: |b| batch(b, |messages, port, replies| {
        messages.drain(..).for_each(|message| port.send_to(message, replies));
    }),
}
