//! What a message to a thread of another CPU and its reply cost, sent and waited for later, both CPUs together.

bench_api::bench! {
    name: "kernel/port_send_reply_cross",
    doc: "`send` to a thread port of another, halted CPU, `wait` for the reply, the message taken back; work of both CPUs.",
    cpus: 2,
    lies: "A server that is not yet halted is cheaper to reach. Counts work, says nothing of latency.",
    shape: "flat in CPUs, threads and ports",
    run: |b| crate::steps::port_send_reply(b, crate::steps::other()),
}
