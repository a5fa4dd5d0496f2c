//! Waiting for tokens of others: spin a little, step aside, all over again.
//!
//! ```text
//!   take ──(1) free──────────────────────────────▶ go on
//!     └─(2)▶ spin, own tokens in hand ──(3) free──▶ go on
//!              └─(4)▶ let all go ─▶ ROUND ──(5) all taken──▶ go on
//!                                    │ ▲
//!                                 (6)▼ │(7)
//!                               step aside: others of this CPU run
//! ```
//! A token's holder runs at this moment, on another CPU (or has lent its processor to an interrupt): so waits are short, and
//! who waits stays ready and looks again each time that its turn comes. Nobody has to wake it, and no CPU rests meanwhile.
//!
//! A round takes all tokens or none. The first [`ROUNDS`] rounds take them as the thread did. From then on by address,
//! trying each for a while before the next, with the lower ones in hand, and pressing.
//!
//! Shared takers stop being polite then: the exclusive taker that they make room for may itself be unable to run, since better
//! threads of its CPU are these very takers.
//!
//! No livelock: take the thread that fails, in a round by address, at the highest address. Whoever held that token then was
//! no thread in such a round (it would have failed higher up, or succeeded), so it was one that goes on, or one in its first
//! rounds, of which each thread has a bounded number until it goes on. So of any number of rounds, some end in a thread that
//! goes on. No deadlock: what is held over a spin is let go when the spin ends.

use percpu::Crit;

use crate::held::Order;
use crate::{Exec, Held};

/// How often a wait looks at a token before it steps aside.
pub(crate) const LOOKS: usize = 32;
/// Rounds in the order of taking; then by address.
const ROUNDS: usize = 10;

/// Takes the first `count` tokens of the running thread again, which holds none, and lets others of its CPU run as long as
/// that fails. In the thread's only critical section.
pub fn take_again<X: Exec>(crit: &Crit, me: &Held, count: usize) {
    let mut round = 0;
    while !try_round::<X>(crit, me, count, round) {
        round += 1;
        X::step_aside(crit);
    }
    X::taken_again(crit, count);
    #[cfg(feature = "plants")]
    if X::loses_token() {
        me.lose_one(count);
    }
}

fn try_round<X: Exec>(crit: &Crit, me: &Held, count: usize, round: usize) -> bool {
    let mut looks = 0;
    if round >= ROUNDS {
        let mut wait = |_| {
            X::relax(crit);
            looks += 1;
            looks < LOOKS
        };
        return me.take_all(count, Order::Address, &mut wait).is_ok();
    }
    let Err(at) = me.take_all(count, Order::Taken, |_| false) else { return true };
    while looks < LOOKS && !me.looks_free(at, count) {
        X::relax(crit);
        looks += 1;
    }
    false
}
