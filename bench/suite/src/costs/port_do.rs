//! What a message to a thread of the same CPU and its reply cost, when the sender waits at once.

bench_api::bench! {
    name: "kernel/port_do",
    doc: "`do` to a thread port of this CPU: the message queued, the server woken, its reply, the sender woken; two switches.",
    lies: "A server that finds the message before it waits is not woken: the wake would be missing.",
    shape: "flat in CPUs, threads and ports",
    run: |b| crate::steps::port_do(b, crate::steps::here()),
}
