//! What a message costs whose handler runs in the sender.

use crate::environment::may_block;
use crate::steps::{Ask, Successor};
use lwkt_port::{Port, SyncPort};

static PORT: SyncPort<Successor> = SyncPort::new(Successor);

bench_api::bench! {
    name: "kernel/sync_port",
    doc: "`do` to a sync port whose handler answers at once: no queue, no mark, no switch.",
    lies: "A handler inlined into the sender would be folded away.",
    shape: "constant",
    run: |b| {
        let (mut cx, mut message, mut sum) = (may_block(), Ask::after(6), 0);
        b.batch(64);
        b.iter(|| sum += PORT.do_(&mut cx, core::hint::black_box(&mut message)).unwrap_or(0));
        b.check(sum > 0 && sum.is_multiple_of(7), "each message was answered by the handler");
    },
}
