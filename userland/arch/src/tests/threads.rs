//! Threads that really switch: one carrier, then several.

use super::host::{calls, process, stop};
use std::boxed::Box;
use std::vec::Vec;
use uthread::{Condition, Options, Semaphore};

extern "C" fn twice(value: u64) -> u64 {
    calls::yield_now();
    value * 2
}

extern "C" fn create_and_join(count: u64) -> u64 {
    let mut sum = 0;
    for value in 0..count {
        let thread = calls::create(twice, value, Options::USUAL).expect("a stack");
        sum += calls::join(thread);
    }
    stop(sum)
}

#[test]
fn joins_take_the_values_of_their_threads() {
    assert_eq!(process(1, create_and_join, 1000), 999_000);
}

struct Pair(&'static Semaphore, &'static Semaphore, u64);

extern "C" fn pong(pair: u64) -> u64 {
    // SAFETY: the test passes a leaked pair.
    let Pair(ping, pong, times) = unsafe { &*(pair as *const Pair) };
    for _ in 0..*times {
        calls::wait(ping);
        calls::post(pong);
    }
    7
}

fn ping_pong(pair: Pair, home: Option<u8>) -> u64 {
    let pair: &'static Pair = Box::leak(Box::new(pair));
    let other = calls::create(pong, &raw const *pair as u64, Options { home, ..Options::USUAL })
        .expect("a stack");
    for _ in 0..pair.2 {
        calls::post(pair.0);
        calls::wait(pair.1);
    }
    calls::join(other)
}

extern "C" fn local_pair(times: u64) -> u64 {
    stop(ping_pong(Pair(calls::local(0), calls::local(0), times), None))
}

#[test]
fn two_threads_play_ping_pong() {
    assert_eq!(process(1, local_pair, 10_000), 7);
}

extern "C" fn stop_here(_: u64) -> u64 {
    stop(0)
}

/// Stops all other carriers, then this one.
fn stop_all(carriers: u8, value: u64) -> ! {
    for index in 1..carriers {
        calls::create(stop_here, 0, Options { home: Some(index), ..Options::USUAL })
            .expect("a stack");
    }
    stop(value)
}

extern "C" fn shared_pair(times: u64) -> u64 {
    stop_all(2, ping_pong(Pair(calls::shared(0), calls::shared(0), times), Some(1)))
}

#[test]
fn two_carriers_play_ping_pong() {
    assert_eq!(process(2, shared_pair, 2_000), 7);
}

struct Count {
    mutex: &'static Semaphore,
    value: core::cell::UnsafeCell<u64>,
}

extern "C" fn add(count: u64) -> u64 {
    // SAFETY: the test passes a leaked count.
    let count = unsafe { &*(count as *const Count) };
    for _ in 0..100 {
        calls::wait(count.mutex);
        // SAFETY: under the mutex.
        let before = unsafe { count.value.get().read() };
        calls::yield_now();
        // SAFETY: under the mutex.
        unsafe { count.value.get().write(before + 1) };
        calls::post(count.mutex);
    }
    0
}

extern "C" fn many_adders(carriers: u64) -> u64 {
    let count: &'static Count = Box::leak(Box::new(Count {
        mutex: calls::shared(1),
        value: core::cell::UnsafeCell::new(0),
    }));
    let threads: Vec<_> = (0..40u64)
        .map(|index| {
            let home = Some((index % carriers) as u8);
            calls::create(add, &raw const *count as u64, Options { home, ..Options::USUAL })
                .expect("a stack")
        })
        .collect();
    for thread in threads {
        calls::join(thread);
    }
    // SAFETY: all others have ended.
    stop_all(carriers as u8, unsafe { count.value.get().read() })
}

#[test]
fn a_mutex_excludes_on_one_carrier() {
    assert_eq!(process(1, many_adders, 1), 4000);
}

#[test]
fn a_mutex_excludes_across_carriers() {
    assert_eq!(process(4, many_adders, 4), 4000);
}

struct Gate {
    mutex: &'static Semaphore,
    open: Condition,
    state: core::cell::Cell<bool>,
}

extern "C" fn pass(gate: u64) -> u64 {
    // SAFETY: the test passes a leaked gate.
    let gate: &'static Gate = unsafe { &*(gate as *const Gate) };
    calls::wait(gate.mutex);
    while !gate.state.get() {
        calls::condition_wait(&gate.open, gate.mutex);
    }
    calls::post(gate.mutex);
    1
}

extern "C" fn gate(carriers: u64) -> u64 {
    let gate: &'static Gate = Box::leak(Box::new(Gate {
        mutex: calls::shared(1),
        open: Condition::shared(),
        state: core::cell::Cell::new(false),
    }));
    let threads: Vec<_> = (0..30u64)
        .map(|index| {
            let home = Some((index % carriers) as u8);
            calls::create(pass, &raw const *gate as u64, Options { home, ..Options::USUAL })
                .expect("a stack")
        })
        .collect();
    calls::sleep_until(calls::clock() + 2_000_000);
    calls::wait(gate.mutex);
    gate.state.set(true);
    calls::post(gate.mutex);
    calls::signal(&gate.open);
    calls::broadcast(&gate.open);
    let sum = threads.into_iter().map(calls::join).sum();
    stop_all(carriers as u8, sum)
}

#[test]
fn a_broadcast_wakes_all() {
    assert_eq!(process(1, gate, 1), 30);
    assert_eq!(process(3, gate, 3), 30);
}

/// Fills what a stack held before.
extern "C" fn overwrite(pattern: u64) -> u64 {
    let words = std::hint::black_box([pattern; 200]);
    words[199]
}

/// Threads that come and go here take over the stacks that come back from elsewhere, as soon as they do.
extern "C" fn successors(rounds: u64) -> u64 {
    for _ in 0..rounds {
        let thread = calls::create(overwrite, u64::MAX, Options::USUAL).expect("a stack");
        assert!(calls::join(thread) == u64::MAX);
        calls::sleep_until(calls::clock() + 50_000);
    }
    0
}

extern "C" fn abroad(rounds: u64) -> u64 {
    let successors = calls::create(successors, rounds, Options::USUAL).expect("a stack");
    let mut sum = 0;
    for _ in 0..rounds {
        let options = Options { home: Some(1), ..Options::USUAL };
        sum += calls::join(calls::create(twice, 1, options).expect("a stack"));
    }
    calls::join(successors);
    stop_all(2, sum)
}

/// Who ends gives its stack away: to a carrier that may use it at once, while the one that gave it is still on its way out.
#[test]
fn a_stack_given_back_is_not_stood_on() {
    super::host::with_slow_wakes(|| assert_eq!(process(2, abroad, 200), 400));
}

extern "C" fn late(deadline: u64) -> u64 {
    calls::sleep_until(deadline);
    calls::clock()
}

extern "C" fn sleepers(_: u64) -> u64 {
    let now = calls::clock();
    let deadlines: Vec<u64> = [5u64, 1, 3].iter().map(|ms| now + ms * 1_000_000).collect();
    let threads: Vec<_> = deadlines
        .iter()
        .map(|&at| calls::create(late, at, Options::USUAL).expect("a stack"))
        .collect();
    let good = threads
        .into_iter()
        .zip(deadlines)
        .filter(|&(thread, at)| calls::join(thread) >= at)
        .count();
    stop(good as u64)
}

#[test]
fn sleepers_sleep_long_enough() {
    assert_eq!(process(1, sleepers, 0), 3);
}

extern "C" fn priority_of_caller(_: u64) -> u64 {
    u64::from(calls::current().priority())
}

extern "C" fn priorities(_: u64) -> u64 {
    let high =
        calls::create(priority_of_caller, 0, Options { priority: Some(20), ..Options::USUAL })
            .expect("a stack");
    // The higher one ran before the creation came back.
    let low = calls::create(priority_of_caller, 0, Options { priority: Some(3), ..Options::USUAL })
        .expect("a stack");
    calls::set_priority(low, 9);
    calls::set_priority(calls::current(), 2);
    stop(calls::join(high) * 100 + calls::join(low))
}

#[test]
fn priorities_are_kept() {
    assert_eq!(process(1, priorities, 0), 2009);
}
