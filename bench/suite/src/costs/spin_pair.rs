//! What a spin lock costs that no other CPU wants.

use kernel_core::token::SpinLock;

static LOCK: SpinLock<u64> = SpinLock::new(0, 0);

bench_api::bench! {
    name: "spin/pair",
    doc: "A spin lock that no other CPU wants is taken, with its critical section, and let go.",
    lies: "It is in this CPU's cache: taken by CPUs in turn it costs a cache line's journey each time.",
    shape: "flat in CPUs",
    run: |b| {
        b.batch(64);
        let mut rounds = 0;
        b.iter(|| { *LOCK.lock() += 1; rounds += 1; });
        b.check(*LOCK.lock() >= rounds, "each round had the lock to itself");
    },
}
