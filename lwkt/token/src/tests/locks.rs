//! Spin locks.

use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::String;

use super::host::{Host, become_cpu};
use crate::SpinLock;

fn panics<R>(f: impl FnOnce() -> R) -> String {
    let Err(why) = catch_unwind(AssertUnwindSafe(|| core::mem::forget(f()))) else {
        panic!("it must not go well")
    };
    why.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[test]
fn one_cpu_at_a_time() {
    const TURNS: usize = if cfg!(miri) { 50 } else { 20_000 };
    let lock: &'static SpinLock<Host, usize> = Box::leak(Box::new(SpinLock::new(3, 0)));
    std::thread::scope(|scope| {
        for cpu in 0..4 {
            scope.spawn(move || {
                become_cpu(cpu);
                for _ in 0..TURNS {
                    *lock.lock() += 1;
                }
            });
        }
    });
    assert_eq!(*lock.lock(), 4 * TURNS);
    assert!(lock.owner().is_none());
}

#[test]
fn a_cpu_does_not_wait_for_itself() {
    let lock = SpinLock::<Host, ()>::new(0, ());
    become_cpu(5);
    let held = lock.lock();
    assert_eq!(lock.owner().map(|(cpu, _)| cpu.index()), Some(5));
    let why = panics(|| lock.lock());
    assert!(why.contains("wants a spin lock that it has"), "{why}");
    assert!(!cfg!(debug_assertions) || why.contains("locks.rs:"), "{why}");
    drop(held);
    assert!(lock.owner().is_none());
}

#[cfg(debug_assertions)]
#[test]
fn ranks_rise() {
    let [low, high] = [1, 2].map(|rank| SpinLock::<Host, ()>::new(rank, ()));
    let (outer, inner) = (low.lock(), high.lock());
    drop(outer);
    // In any order; what counts is what is in hand.
    let why = panics(|| low.lock());
    assert_eq!(why, "a spin lock of rank 1 is taken with one of rank 2 in hand");
    drop(inner);
}
