//! What the time costs.

use program::process;

bench_api::bench! {
    name: "user/clock",
    doc: "Nanoseconds since boot, from the layer: the time-stamp counter and the kernel's scale.",
    lies: "RDTSC counts as one instruction, whatever it costs on silicon.",
    shape: "flat in everything; 0 entries into the kernel",
    run: |b| {
        let (first, mut last) = (process::clock(), 0);
        b.batch(8).iter(|| last = process::clock());
        b.check(last > first, "time goes on");
    },
}
