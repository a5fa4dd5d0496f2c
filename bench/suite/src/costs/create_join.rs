//! What a kernel thread costs that does nothing: made, run, joined.

use crate::environment::may_block;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use kernel_core::thread;
use lwkt_sched::{Name, Priority};

static RAN: AtomicU64 = AtomicU64::new(0);

bench_api::bench! {
    name: "kernel/create_join",
    doc: "A thread created on this CPU, joined at once, which runs it: two switches, its stack taken and given back.",
    lies: "Stack and memory come from the last thread that ended; the first on a CPU has to map its stack.",
    shape: "flat in CPUs and in threads alive",
    run: |b| {
        let (mut cx, mut created) = (may_block(), 0);
        let before = RAN.load(Relaxed);
        b.iter(|| {
            let made = thread::spawn(Name::new("made"), Priority::SERVER, |_| {
                // One CPU counts: no read-modify-write.
                RAN.store(RAN.load(Relaxed) + 1, Relaxed);
            });
            if let Ok(thread) = made {
                created += 1;
                thread.join(&mut cx);
            }
        });
        b.check(created > 2, "there is memory for a thread");
        b.check(RAN.load(Relaxed) - before == created, "each thread ran, once");
    },
}
