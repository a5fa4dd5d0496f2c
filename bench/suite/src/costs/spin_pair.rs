//! What a spin lock costs that no other CPU wants.

use kernel_core::token::SpinLock;

static LOCK: SpinLock<()> = SpinLock::new(0, ());

bench_api::bench! {
    name: "spin/pair",
    doc: "A spin lock that no other CPU wants is taken, with its critical section, and let go; four times in a step.",
    lies: "It is in this CPU's cache: taken by CPUs in turn it costs a cache line's journey each time.",
    shape: "flat in CPUs",
    run: |b| {
        b.ops(4);
        b.batch(64);
        b.iter(|| {
            drop(LOCK.lock());
            drop(LOCK.lock());
            drop(LOCK.lock());
            drop(LOCK.lock());
        });
    },
}
