//! What a serializer costs that no other thread wants.

use crate::environment::may_block;
use kernel_core::serializer::Serializer;

static SERIALIZER: Serializer<()> = Serializer::new(());

bench_api::bench! {
    name: "kernel/serializer",
    doc: "A serializer that no other thread wants is entered and left; four times in a step.",
    lies: "It is in this CPU's cache: entered on CPUs in turn it costs a cache line's journey each time.",
    shape: "flat in CPUs and in threads",
    run: |b| {
        let mut cx = may_block();
        b.ops(4);
        b.batch(64);
        b.iter(|| {
            drop(SERIALIZER.enter(&mut cx));
            drop(SERIALIZER.enter(&mut cx));
            drop(SERIALIZER.enter(&mut cx));
            drop(SERIALIZER.enter(&mut cx));
        });
    },
}
