//! What a message to a thread of the same CPU and its reply cost, when the sender has it sent and waits later.

bench_api::bench! {
    name: "kernel/port_send_reply",
    doc: "`send` to a thread port of this CPU, `wait` for the reply, the message taken back; two switches.",
    lies: "Had the sender other work between, the reply would be there already and the wait free.",
    shape: "flat in CPUs, threads and ports",
    run: |b| crate::steps::port_send_reply(b, crate::steps::here()),
}
