//! What a call costs that the layer answers.

use bench_api::Counter;
use program::call;

bench_api::bench! {
    name: "user/layer_call",
    doc: "A call through the layer's table that is answered there: which thread runs.",
    goal: "G7",
    lies: "Nothing is computed: it is the way there and back.",
    shape: "flat in everything; 0 entries into the kernel",
    run: |b| {
        // SAFETY: no arguments.
        let own = unsafe { call::thread_current() };
        let before = b.open_window();
        let mut last = 0;
        b.batch(16).iter(|| {
            // SAFETY: no arguments.
            last = unsafe { call::probe() };
        });
        let entries = b.close_window(&before).get(Counter::KernelEntries);
        b.check(last == own, "the layer answered");
        // The two readings that `iter` itself makes are not counted; see `environment`.
        b.check(entries == 0, "no entry into the kernel");
    },
}
