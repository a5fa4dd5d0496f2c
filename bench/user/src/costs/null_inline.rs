//! What the way into the kernel and back costs.

use bench_api::Counter;
use program::call;

bench_api::bench! {
    name: "user/null_inline",
    doc: "A message that does nothing, sent in registers by a real system call and answered in registers.",
    goal: "G5",
    lies: "Instructions: SYSCALL and SYSRET count as one each, whatever they cost on silicon.",
    shape: "flat in CPUs, threads and pending calls",
    run: |b| {
        const BATCH: u64 = 8;
        let before = b.open_window();
        let mut calls = 0;
        b.batch(BATCH).iter(|| {
            // SAFETY: no arguments.
            unsafe { call::null() };
            calls += 1;
        });
        let entries = b.close_window(&before).get(Counter::KernelEntries);
        b.check(entries >= calls && calls > BATCH, "each call was an entry into the kernel");
    },
}
