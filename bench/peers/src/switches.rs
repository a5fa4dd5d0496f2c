//! Bare switches and bare creation of a context, without a scheduler on either side.

use crate::clock::ticks;
use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, ScopedCoroutine};
use std::hint::black_box;
use uarch::switch::{Context, prepare, switch};

/// Switches per measurement.
const SWITCHES: usize = 40_000;
/// Contexts made per measurement.
const CREATED: usize = 10_000;

/// What both contexts know of each other.
struct Pair {
    main: Context,
    other: Context,
}

extern "C" fn back_and_forth(pair: u64, mut passed: u64) -> ! {
    let pair = pair as *mut Pair;
    loop {
        // SAFETY: `ours_switch` keeps the pair alive, and only one of the two contexts runs.
        let pair = unsafe { &mut *pair };
        // SAFETY: the main context saved itself when it switched here.
        passed = unsafe { switch(&mut pair.other, pair.main, passed + 1) };
    }
}

/// Ticks per switch between two stacks.
#[inline(never)]
pub fn ours_switch() -> f64 {
    let mut stack = vec![0_u64; 4096];
    let mut pair = Pair { main: Context::default(), other: Context::default() };
    let at = &raw mut pair;
    // SAFETY: the stack outlives the context, which is never used after this function.
    let other = unsafe { prepare(&mut stack, back_and_forth, at as u64) };
    // SAFETY: the pair is local, and the other context does not run.
    let pair = unsafe { &mut *at };
    pair.other = other;
    let mut passed = 0;
    let start = ticks();
    for _ in 0..SWITCHES / 2 {
        // SAFETY: the other context saved itself when it switched here, or was just prepared.
        passed = unsafe { switch(&mut pair.main, pair.other, passed) };
    }
    let end = ticks();
    assert_eq!(black_box(passed), SWITCHES as u64 / 2);
    (end - start) as f64 / SWITCHES as f64
}

/// The same with corosensei: resume is one switch, suspend the other.
#[inline(never)]
pub fn corosensei_switch() -> f64 {
    let mut coroutine = Coroutine::<u64, u64, ()>::new(|yielder, mut passed| {
        loop {
            passed = yielder.suspend(passed + 1);
        }
    });
    let mut passed = 0;
    let start = ticks();
    for _ in 0..SWITCHES / 2 {
        if let CoroutineResult::Yield(next) = coroutine.resume(passed) {
            passed = next;
        }
    }
    let end = ticks();
    assert_eq!(black_box(passed), SWITCHES as u64 / 2);
    // SAFETY: the coroutine's stack holds nothing that needs dropping.
    unsafe { coroutine.force_reset() };
    (end - start) as f64 / SWITCHES as f64
}

extern "C" fn once(main: u64, passed: u64) -> ! {
    // SAFETY: `ours_create` waits in the context that it saved here.
    let main = unsafe { *(main as *const Context) };
    let mut nowhere = Context::default();
    // SAFETY: the main context does not run; this one is never gone back to.
    unsafe { switch(&mut nowhere, main, passed + 1) };
    unreachable!("nobody knows this context")
}

/// Ticks to make a context on a stack that is there, run it to its end, and be back.
#[inline(never)]
pub fn ours_create() -> f64 {
    let mut stack = vec![0_u64; 4096];
    let mut main = Context::default();
    let at = &raw mut main;
    let mut passed = 0;
    let start = ticks();
    for _ in 0..CREATED {
        // SAFETY: the stack outlives the context, whose predecessor has ended.
        let new = unsafe { prepare(&mut stack, once, at as u64) };
        // SAFETY: `main` is local; the new context only reads it while this one waits.
        let main = unsafe { &mut *at };
        // SAFETY: just prepared.
        passed = unsafe { switch(main, new, passed) };
    }
    let end = ticks();
    assert_eq!(black_box(passed), CREATED as u64);
    (end - start) as f64 / CREATED as f64
}

/// The same with corosensei, in the form of its own benchmark.
#[inline(never)]
pub fn corosensei_create() -> f64 {
    let mut stack = DefaultStack::default();
    let mut passed = 0_u64;
    let start = ticks();
    for _ in 0..CREATED {
        let coroutine =
            ScopedCoroutine::<u64, (), u64, _>::with_stack(&mut stack, |_, passed| passed + 1);
        coroutine.scope(|mut coroutine| {
            if let CoroutineResult::Return(next) = coroutine.resume(passed) {
                passed = next;
            }
        });
    }
    let end = ticks();
    assert_eq!(black_box(passed), CREATED as u64);
    (end - start) as f64 / CREATED as f64
}
