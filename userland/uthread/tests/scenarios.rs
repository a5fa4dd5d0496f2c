//! Mutex, condition variable, semaphore and join over several carriers, under shuttle's random schedules.
//!
//! `cargo test -p uthread --release --features shuttle --test scenarios`. Whoever is forgotten sleeps for ever, which
//! shuttle reports as a deadlock.
#![cfg(feature = "shuttle")]

mod common;

use std::cell::Cell;

use common::{Body, Do, Last, Machine, Object, Ref};
use shuttle::thread;
use uthread::{Condition, Options, Semaphore};

const RUNS: usize = 2000;

fn on(index: usize) -> Options {
    Options { home: Some(index as u8), priority: Some(16), ..Options::USUAL }
}

/// Runs `main` on carrier 0 of `carriers`. It ends with [`stop`].
fn play(carriers: usize, main: impl Fn() -> Body + Send + Sync + 'static) {
    shuttle::check_random(
        move || {
            let machine = Machine::new(carriers);
            let others: Vec<_> =
                (1..carriers).map(|index| thread::spawn(move || machine.drive(index))).collect();
            machine.create(
                machine.carrier(0),
                main(),
                Options { priority: Some(16), ..Options::USUAL },
            );
            machine.drive(0);
            others.into_iter().for_each(|other| other.join().unwrap());
            machine.end();
        },
        RUNS,
    );
}

/// Creates `workers`, the n-th on carrier n modulo `carriers`, joins them in order, calls `check` with the sum of their values,
/// stops all carriers.
fn gather(carriers: usize, workers: Vec<Body>, check: impl Fn(u64) + Send + 'static) -> Body {
    let count = workers.len();
    let mut workers = workers.into_iter();
    let (mut threads, mut created, mut joined, mut sum, mut stopped) =
        (Vec::<Ref>::new(), 0, 0, 0, 0);
    Box::new(move |last| {
        if let Last::Thread(thread) = last {
            threads.push(thread);
        } else if joined > 0 && joined <= count && stopped == 0 {
            let Last::Value(value) = last else { unreachable!() };
            sum += value;
        }
        if let Some(body) = workers.next() {
            created += 1;
            return Do::Create(body, on((created - 1) % carriers));
        }
        if joined < count {
            joined += 1;
            return Do::Join(threads[joined - 1]);
        }
        if stopped == 0 {
            check(sum);
        }
        stopped += 1;
        if stopped < carriers { Do::Create(Box::new(|_| Do::Stop), on(stopped)) } else { Do::Stop }
    })
}

/// Adds one to `value` under `mutex`, yielding in between, `times` times.
fn adder(mutex: Object<Semaphore>, value: Object<Cell<u64>>, times: u64) -> Body {
    let (mut step, mut before) = (0, 0);
    Box::new(move |_| {
        step += 1;
        if step > 4 * times {
            return Do::Exit(1);
        }
        match step % 4 {
            1 => Do::Take(mutex.get()),
            2 => {
                before = value.get().get();
                Do::Yield
            }
            3 => {
                value.get().set(before + 1);
                Do::Give(mutex.get())
            }
            _ => Do::Yield,
        }
    })
}

#[test]
fn a_mutex_excludes() {
    play(3, || {
        let (mutex, value) = (Object::new(Semaphore::shared(1)), Object::new(Cell::new(0)));
        let workers = (0..5).map(|_| adder(mutex, value, 3)).collect();
        gather(3, workers, move |sum| assert_eq!((sum, value.get().get()), (5, 15)))
    });
}

/// Waits until `value` is at least `wanted`.
fn waiter(
    mutex: Object<Semaphore>,
    condition: Object<Condition>,
    value: Object<Cell<u64>>,
    wanted: u64,
) -> Body {
    enum At {
        Begin,
        Locked,
        Woken,
        End,
    }
    let mut at = At::Begin;
    Box::new(move |_| match at {
        At::Begin | At::Woken => {
            at = At::Locked;
            Do::Take(mutex.get())
        }
        At::Locked if value.get().get() < wanted => {
            at = At::Woken;
            Do::Await(condition.get(), mutex.get())
        }
        At::Locked => {
            at = At::End;
            Do::Give(mutex.get())
        }
        At::End => Do::Exit(1),
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Notice {
    One,
    All,
}

/// Adds one under the mutex and notifies, `times` times.
fn teller(
    mutex: Object<Semaphore>,
    condition: Object<Condition>,
    value: Object<Cell<u64>>,
    times: u64,
    notice: Notice,
) -> Body {
    let mut step = 0;
    Box::new(move |_| {
        step += 1;
        if step > 4 * times {
            return Do::Exit(1);
        }
        match step % 4 {
            1 => Do::Take(mutex.get()),
            2 => {
                value.get().set(value.get().get() + 1);
                Do::Give(mutex.get())
            }
            3 if notice == Notice::All => Do::NotifyAll(condition.get()),
            3 => Do::NotifyOne(condition.get()),
            _ => Do::Yield,
        }
    })
}

fn conditions(waiters: usize, tellers: usize, notice: Notice) {
    play(3, move || {
        let (mutex, condition) =
            (Object::new(Semaphore::shared(1)), Object::new(Condition::shared()));
        let value = Object::new(Cell::new(0));
        let wanted = 2 * tellers as u64;
        let mut workers: Vec<Body> =
            (0..waiters).map(|_| waiter(mutex, condition, value, wanted)).collect();
        workers.extend((0..tellers).map(|_| teller(mutex, condition, value, 2, notice)));
        workers.rotate_left(1);
        gather(3, workers, move |sum| assert_eq!(sum, (waiters + tellers) as u64))
    });
}

#[test]
fn every_broadcast_wakes_all() {
    conditions(3, 2, Notice::All);
}

#[test]
fn a_notice_to_one_is_not_lost() {
    conditions(1, 3, Notice::One);
}

#[test]
fn units_are_kept() {
    play(3, || {
        let semaphore = Object::new(Semaphore::shared(1));
        let workers = (0..6)
            .map(|index| {
                let mut step = 0;
                // Half of them give first, so that units and waiters meet in both orders.
                let body = move |_: Last| {
                    step += 1;
                    match step {
                        5 => Do::Exit(1),
                        _ if (step + index) % 2 == 0 => Do::Give(semaphore.get()),
                        _ => Do::Take(semaphore.get()),
                    }
                };
                Box::new(body) as Body
            })
            .collect();
        gather(3, workers, |sum| assert_eq!(sum, 6))
    });
}

#[test]
fn joins_meet_ends_in_every_order() {
    play(3, || {
        let workers = (0..6u64)
            .map(|index| {
                let mut rest = index % 3;
                let body = move |_: Last| {
                    if rest == 0 {
                        return Do::Exit(index);
                    }
                    rest -= 1;
                    Do::Yield
                };
                Box::new(body) as Body
            })
            .collect();
        gather(3, workers, |sum| assert_eq!(sum, 15))
    });
}

/// The stack of a thread of another carrier comes back, joined or let go, and serves the next thread at once.
#[test]
fn a_stack_is_used_again_only_when_it_was_left() {
    play(2, || {
        let mut step = 0;
        Box::new(move |last| {
            step += 1;
            match (step, last) {
                (1 | 3 | 5, _) => Do::Create(Box::new(|_| Do::Exit(0)), on(1)),
                (2 | 6, Last::Thread(thread)) => Do::Join(thread),
                (4, Last::Thread(thread)) => Do::Detach(thread),
                (7..12, _) => Do::Create(Box::new(|_| Do::Exit(0)), on(0)),
                (12, _) => Do::Create(Box::new(|_| Do::Stop), on(1)),
                _ => Do::Stop,
            }
        })
    });
}

#[test]
fn sleepers_and_mail_share_a_deadline() {
    play(2, || {
        let semaphore = Object::new(Semaphore::shared(0));
        let sleeper = |deadline: u64| {
            let mut step = 0;
            let body = move |_: Last| {
                step += 1;
                match step {
                    1 => Do::SleepUntil(deadline),
                    2 => Do::Give(semaphore.get()),
                    _ => Do::Exit(1),
                }
            };
            Box::new(body) as Body
        };
        let mut step = 0;
        let taker = move |_: Last| {
            step += 1;
            if step <= 3 { Do::Take(semaphore.get()) } else { Do::Exit(1) }
        };
        gather(2, vec![sleeper(30), sleeper(10), Box::new(taker), sleeper(20)], |sum| {
            assert_eq!(sum, 4)
        })
    });
}
