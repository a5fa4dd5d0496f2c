//! What waking a blocked thread of the same CPU and blocking oneself costs, the switch to it included.

bench_api::bench! {
    name: "kernel/block_wake",
    doc: "A thread wakes a blocked one of its CPU and blocks, and is woken in the same way: two wakes, blocks and switches.",
    lies: "A wake that comes before the block would leave out the block and the switch; a third ready thread would add its own.",
    shape: "flat in CPUs and in blocked threads",
    run: |b| {
        b.ops(2);
        crate::steps::wake_and_back(b, crate::steps::here());
    },
}
