//! What taking a token costs that the thread holds.

use crate::environment::may_block;
use kernel_core::token::Token;

static TOKEN: Token = Token::new(());

bench_api::bench! {
    name: "token/recursive",
    doc: "A token that the thread holds is taken once more and let go: no change of its word.",
    lies: "The list of the thread is searched: it holds this one token alone.",
    shape: "flat in CPUs; linear in the tokens that the thread holds, 32 at most",
    run: |b| {
        let mut cx = may_block();
        let mut held = TOKEN.lock(&mut cx);
        b.batch(64);
        b.iter(|| drop(TOKEN.lock(&mut held)));
    },
}
