//! What sharing a token costs that nobody else wants.

use crate::environment::may_block;
use kernel_core::token::Token;

static TOKEN: Token = Token::new(());

bench_api::bench! {
    name: "token/shared",
    doc: "A token that nobody else wants is taken shared and let go; four times in a step.",
    lies: "Two locked instructions on a line in this CPU's cache: CPUs that share at once hand the line around.",
    shape: "flat in CPUs and in threads",
    run: |b| {
        let mut cx = may_block();
        b.ops(4);
        b.batch(64);
        b.iter(|| {
            drop(TOKEN.share(&mut cx));
            drop(TOKEN.share(&mut cx));
            drop(TOKEN.share(&mut cx));
            drop(TOKEN.share(&mut cx));
        });
    },
}
