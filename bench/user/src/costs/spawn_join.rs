//! What a closure on a thread of its own costs.

use program::thread;

bench_api::bench! {
    name: "user/spawn_join",
    doc: "Runs a closure on a user thread of its own and takes its result, with the typed interface.",
    lies: "The stack was used before: a first use would touch a new page.",
    shape: "flat in threads and CPUs",
    run: |b| {
        let mut number = 0_u64;
        b.batch(4).iter(|| {
            let own = number;
            number = thread::spawn(move || own + 1).map_or(0, thread::JoinHandle::join);
        });
        b.check(number > 4, "each closure ran and its value came back");
    },
}
