//! What waking a blocked thread on another CPU and being woken by it costs, both CPUs together.

bench_api::bench! {
    name: "kernel/wake_cross",
    doc: "A thread wakes a blocked one on another, halted CPU and blocks; that wakes it and blocks: work of both CPUs.",
    goal: "G13",
    cpus: 2,
    curve: bench_api::Curve::Cpus,
    lies: "A CPU that had other work would not halt: no interrupt, no way out of idle. Counts work, says nothing of latency.",
    shape: "flat in CPUs and in blocked threads",
    run: |b| crate::steps::wake_and_back(b, crate::steps::other()),
}
