//! What a yield between user threads costs, through the run queue.

use program::thread;

bench_api::bench! {
    name: "user/yield",
    doc: "A user thread yields to an equal of its CPU process, which yields back: two yields.",
    goal: "G2",
    lies: "A third ready thread of this priority would add its own yields.",
    shape: "flat in threads that wait, and in CPUs",
    run: |b| {
        b.ops(2).batch(8);
        b.on(0, |peer| {
            while !peer.stopped() {
                thread::yield_now();
            }
        }, |b| b.iter(thread::yield_now));
    },
}
