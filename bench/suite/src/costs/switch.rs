//! What a switch between kernel threads costs, both queue operations included.

use crate::environment::may_block;
use kernel_core::thread;

bench_api::bench! {
    name: "kernel/switch",
    doc: "A thread yields to an equal on its CPU, which yields back: two switches.",
    goal: "G3",
    curve: bench_api::Curve::Cpus,
    lies: "A third ready thread of this priority would add its own switches.",
    shape: "flat in CPUs and in blocked threads",
    run: |b| {
        let cpu = arch::cpu_id() as usize;
        b.ops(2);
        b.on(cpu, |peer| {
            let mut cx = may_block();
            while !peer.stopped() {
                thread::yield_now(&mut cx);
            }
        }, |b| {
            let mut cx = may_block();
            b.iter(|| thread::yield_now(&mut cx));
        });
    },
}
