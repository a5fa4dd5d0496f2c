//! What a message to a thread of another CPU and its reply cost, when the sender waits at once, both CPUs together.

bench_api::bench! {
    name: "kernel/port_do_cross",
    doc: "`do` to a thread port of another, halted CPU: message and reply travel as calls that wake; work of both CPUs.",
    cpus: 2,
    lies: "A server that is not yet halted is cheaper to reach. Counts work, says nothing of latency.",
    shape: "flat in CPUs, threads and ports",
    run: |b| crate::steps::port_do(b, crate::steps::other()),
}
