//! What a token costs over a wait: it is let go when its thread blocks, and taken again when that is woken.

use crate::environment::may_block;
use kernel_core::token::Token;

static TOKEN: Token = Token::new(());

bench_api::bench! {
    name: "token/block_wake",
    doc: "As kernel/block_wake, with a token in hand on one side: two wakes, blocks and switches; it is let go and taken again once.",
    lies: "Nobody wants the token meanwhile; a third ready thread would add its own switches.",
    shape: "flat in CPUs and in blocked threads, linear in tokens",
    run: |b| {
        let mut cx = may_block();
        let _held = TOKEN.lock(&mut cx);
        b.ops(2);
        crate::steps::wake_and_back(b, crate::steps::here());
    },
}
