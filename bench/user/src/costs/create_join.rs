//! What a user thread costs from its creation to its end.

use program::call;

/// The thread: adds one.
extern "C" fn add_one(number: u64) -> u64 {
    number + 1
}

bench_api::bench! {
    name: "user/create_join",
    doc: "Creates a user thread of the same priority, which runs, returns a value, and is joined.",
    goal: "G16",
    lies: "The stack was used before: a first use would touch a new page.",
    shape: "flat in threads and CPUs",
    run: |b| {
        let mut number = 0;
        b.batch(4).iter(|| {
            // SAFETY: the function takes the number.
            let thread = unsafe { call::thread_create(add_one as *const () as u64, number, 0) };
            // SAFETY: a thread that was not joined; it is not null as long as there is a stack, which the last one left.
            number = unsafe { call::thread_join(thread, 0) };
        });
        b.check(number > 4, "each thread ran and its value came back");
    },
}
