//! What a token costs that nobody else wants.

use crate::environment::may_block;
use kernel_core::token::Token;

static TOKEN: Token = Token::new(());

bench_api::bench! {
    name: "token/exclusive",
    doc: "A token that nobody else wants is taken exclusively and let go; four times in a step.",
    goal: "G18",
    lies: "It is in this CPU's cache: taken by CPUs in turn it costs a cache line's journey each time.",
    shape: "flat in CPUs and in threads",
    run: |b| {
        let mut cx = may_block();
        b.ops(4);
        b.batch(64);
        b.iter(|| {
            drop(TOKEN.lock(&mut cx));
            drop(TOKEN.lock(&mut cx));
            drop(TOKEN.lock(&mut cx));
            drop(TOKEN.lock(&mut cx));
        });
    },
}
