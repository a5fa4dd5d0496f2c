//! Each rule of tokens by itself, and all of them on threads that really run at once.

use core::cell::Cell;
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::{String, ToString};
use std::vec::Vec;

use proptest::prelude::*;

use super::host::{Host, aside, may_block, set_rare, wait};
use crate::held::{Kind, MAX, Order};
use crate::word::{Manners, Word};
use crate::{Exec, Held, Outer, Pool};

type Token<T = ()> = crate::Token<Host, T>;

fn token<T>(value: T) -> &'static Token<T> {
    Box::leak(Box::new(Token::new(value)))
}

fn word() -> &'static Word {
    Box::leak(Box::new(Word::new()))
}

fn held() -> &'static Held {
    Box::leak(Box::new(Held::new::<Host>()))
}

fn id(held: &Held) -> usize {
    core::ptr::from_ref(held).addr()
}

/// Why `f` panics.
fn panics(f: impl FnOnce()) -> String {
    let why = catch_unwind(AssertUnwindSafe(f)).expect_err("it must not go well");
    why.downcast_ref::<String>()
        .cloned()
        .unwrap_or_else(|| why.downcast_ref::<&str>().map_or_else(String::new, ToString::to_string))
}

#[test]
fn a_token_is_taken_and_let_go() {
    let (token, mut cx) = (token(Cell::new(1)), may_block());
    for _ in 0..3 {
        let held = token.lock(&mut cx);
        held.set(held.get() + 1);
        assert_eq!(Host::word(), 1);
    }
    assert_eq!((Host::word(), token.lock(&mut cx).get()), (0, 4));
}

#[test]
fn a_token_that_is_held_may_be_taken_again() {
    let (token, mut cx) = (token(()), may_block());
    let mut one = token.lock(&mut cx);
    {
        let mut two = token.lock(&mut one);
        let three = token.share(&mut two);
        assert_eq!(Host::word(), 3);
        drop(three);
    }
    assert_eq!(Host::word(), 1);
    std::thread::scope(|scope| {
        let free = |manners| scope.spawn(move || token.word().looks_free(true, manners)).join();
        assert!(!free(Manners::Pressing).unwrap(), "the first hold is still there");
    });
    drop(one);
    let mut one = token.share(&mut cx);
    drop(token.share(&mut one));
    assert_eq!(Host::word(), 1);
    drop(one);
    drop(token.lock(&mut cx));
    assert_eq!((Host::word(), aside()), (0, 0));
}

#[test]
fn exclusive_after_shared_is_caught_with_both_places() {
    let (token, mut cx) = (token(()), may_block());
    let mut shared = token.share(&mut cx);
    let line = line!() + 1;
    let why = panics(|| drop(token.lock(&mut shared)));
    assert!(why.starts_with("a token is wanted exclusively that is held shared"), "{why}");
    if cfg!(debug_assertions) {
        assert!(why.contains(&std::format!("rules.rs:{}", line - 2)), "{why}");
    }
    drop(shared);
    assert_eq!(Host::word(), 0);
}

#[test]
fn thirty_two_are_the_most() {
    fn more(outer: &mut dyn Outer, left: usize) {
        if left > 0 {
            more(&mut token(()).lock(outer), left - 1);
        }
    }
    more(&mut may_block(), MAX);
    assert_eq!(Host::word(), 0);
    let why = panics(|| more(&mut may_block(), MAX + 1));
    assert_eq!(why, "a thread that holds 32 tokens wants another");
}

#[test]
fn a_forgotten_guard_is_caught_where_the_one_before_goes() {
    let (a, b, mut cx) = (token(()), token(()), may_block());
    let mut first = a.lock(&mut cx);
    core::mem::forget(b.share(&mut first));
    let why = panics(|| drop(first));
    assert!(why.contains("the guard of"), "{why}");
    if cfg!(debug_assertions) {
        assert!(why.contains("rules.rs:"), "{why}");
    }
}

#[test]
fn what_is_rare_beside_tokens_changes_nothing() {
    let (a, b, mut cx) = (token(()), token(()), may_block());
    set_rare(0x100);
    let mut first = a.lock(&mut cx);
    let second = b.share(&mut first);
    assert_eq!(Host::word(), 0x102);
    set_rare(0x200);
    drop(second);
    drop(first);
    assert_eq!(Host::word(), 0x200);
    set_rare(0);
    assert!(b.word().looks_free(false, Manners::Polite));
}

#[test]
fn who_waits_holds_nothing_and_has_all_again() {
    let (a, b, mut cx) = (token(Cell::new(0)), token(()), may_block());
    let mut first = a.lock(&mut cx);
    let mut second = b.lock(&mut first);
    let mut third = a.lock(&mut second);
    wait(third.cx(), || {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut cx = may_block();
                let other = a.lock(&mut cx);
                other.set(7);
            });
        });
    });
    assert_eq!((third.get(), Host::word()), (7, 3));
    assert!(!a.word().looks_free(true, Manners::Pressing));
    drop(third);
    assert!(!a.word().looks_free(true, Manners::Pressing), "it was taken once more, not twice");
    assert_eq!(second.outer().get(), 7);
    drop(second);
    drop(first);
    assert!(a.word().looks_free(false, Manners::Polite));
}

#[test]
fn a_request_holds_back_who_wants_this_token_alone() {
    let (word, me, other) = (word(), held(), held());
    assert!(word.try_shared(Manners::Polite));
    assert!(!word.try_exclusive(id(me)), "it is shared");
    assert!(!word.try_shared(Manners::Polite), "an exclusive one waits");
    assert!(word.try_shared(Manners::Pressing), "but two in webs must not wait for each other");
    word.give_shared();
    word.give_shared();
    assert!(!word.try_shared(Manners::Polite), "it is the exclusive one's turn");
    assert!(word.try_exclusive(id(me)) && word.is_of(id(me)));
    assert!(!word.try_exclusive(id(other)) && !word.try_shared(Manners::Pressing));
    word.give();
    assert!(word.try_shared(Manners::Polite), "it has had its turn");
}

/// Whoever asked may be a lesser thread of this CPU, which runs when this one does not any more.
#[test]
fn a_request_holds_nobody_back_for_ever() {
    let (token, asker) = (token(()), held());
    assert!(token.word().try_shared(Manners::Polite) && !token.word().try_exclusive(id(asker)));
    token.word().give_shared();
    drop(token.share(&mut may_block()));
    assert!(aside() > 1, "it lets the other one go first for a while");
}

#[test]
fn tokens_of_a_pool_may_be_one_token() {
    static POOL: Pool<Host, 2> = Pool::new();
    let (things, mut cx) = ([0u64; 32], may_block());
    let mut first = POOL.lock(&things[0], &mut cx);
    let mut second = POOL.lock(&things[8], &mut first);
    drop(POOL.lock(&things[16], &mut second));
    drop(second);
    drop(first);
    assert_eq!(Host::word(), 0);
}

proptest! {
    /// All or none, in whichever order; and an order by address asks in that order.
    #[test]
    fn tokens_are_taken_all_or_none(
        picks in prop::collection::vec((0usize..8, prop::bool::ANY), 1..MAX),
        taken in prop::collection::vec(prop::bool::ANY, 8),
        by_address in prop::bool::ANY,
    ) {
        let words: &'static [Word] = Box::leak((0..8).map(|_| Word::new()).collect());
        let (me, other) = (held(), held());
        let mut used = [None; 8];
        let mut kinds = Vec::new();
        for (at, (pick, shared)) in picks.iter().enumerate() {
            let kind = match used[*pick] {
                Some(_) => Kind::Again,
                None if *shared => Kind::Shared,
                None => Kind::Exclusive,
            };
            used[*pick] = used[*pick].or(Some(kind));
            me.note(at, &words[*pick], kind);
            kinds.push((*pick, kind));
        }
        for (word, _) in words.iter().zip(&taken).filter(|(_, taken)| **taken) {
            prop_assert!(word.try_exclusive(id(other)));
        }
        let order = if by_address { Order::Address } else { Order::Taken };
        let result = me.take_all(picks.len(), order, |_| false);
        let mut blocked = kinds.iter().filter(|(pick, _)| taken[*pick]);
        let first = if by_address {
            blocked.min_by_key(|(pick, _)| *pick)
        } else {
            blocked.next()
        };
        match first {
            None => {
                prop_assert!(result.is_ok());
                for (word, used) in words.iter().zip(used) {
                    prop_assert_eq!(word.is_of(id(me)), used == Some(Kind::Exclusive));
                    let alone = word.looks_free(false, Manners::Polite);
                    prop_assert!(used.is_none() || !alone, "it is taken");
                }
                me.park(picks.len());
            }
            Some((pick, _)) => prop_assert_eq!(kinds[result.unwrap_err()].0, *pick),
        }
        for (word, taken) in words.iter().zip(taken) {
            prop_assert_eq!(word.is_of(id(other)), taken);
            prop_assert_eq!(word.looks_free(true, Manners::Pressing), !taken);
        }
    }
}

/// Threads in webs of tokens, in all orders, also over waits: each increment of each value is there at the end.
#[test]
fn webs_on_threads_that_run_at_once() {
    const THREADS: usize = 4;
    const TURNS: usize = if cfg!(miri) { 20 } else { 3000 };
    let tokens: &'static [Token<Cell<usize>>] =
        Box::leak((0..4).map(|_| Token::new(Cell::new(0))).collect());
    let add = |cell: &Cell<usize>| cell.set(cell.get() + 1);
    std::thread::scope(|scope| {
        for me in 0..THREADS {
            scope.spawn(move || {
                let mut cx = may_block();
                for turn in 0..TURNS {
                    let at = |step: usize| &tokens[(me * 3 + turn * (step + 1) + step) % 4];
                    let mut one = at(0).lock(&mut cx);
                    let mut two = at(1).lock(&mut one);
                    let mut three = at(2).lock(&mut two);
                    if turn % 8 == 0 {
                        wait(three.cx(), std::thread::yield_now);
                    }
                    add(&three);
                    add(three.outer());
                    add(three.outer().outer());
                }
                assert_eq!(Host::word(), 0);
            });
        }
    });
    let sum: usize = tokens.iter().map(|token| token.lock(&mut may_block()).get()).sum();
    assert_eq!(sum, THREADS * TURNS * 3);
}
