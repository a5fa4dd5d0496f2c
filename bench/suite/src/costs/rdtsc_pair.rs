//! What reading the clock twice costs: the overhead that is taken off everything else.

bench_api::bench! {
    name: "kernel/rdtsc_pair",
    doc: "Two readings of the time-stamp counter, one after the other.",
    lies: "A fence would be counted as part of the clock.",
    shape: "constant",
    run: |b| b.iter(|| { core::hint::black_box(arch::time::tsc()); }),
}
