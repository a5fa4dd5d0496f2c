//! Sleep and wake of a carrier, as shipped, with the kernel's `wait` and `wake`, under loom: mail, completions, both at once.
//!
//! `cargo test -p uthread --release --features loom --test protocol`. A carrier that misses a wake sleeps for ever, which
//! loom reports as a deadlock.
#![cfg(feature = "loom")]

mod common;

use common::{Do, Last, Machine, Object};
use loom::thread;
use uthread::{Options, Semaphore};

fn model(preemptions: usize, body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(body);
}

fn on(index: u8) -> Options {
    Options { home: Some(index), priority: Some(16), ..Options::USUAL }
}

fn mail_wakes(deaf: bool) {
    let machine = Machine::make(2, deaf);
    let sender = thread::spawn(move || {
        machine.create(machine.carrier(0), Box::new(|_| Do::Stop), on(1));
    });
    machine.drive(1);
    sender.join().unwrap();
    machine.end();
}

#[test]
fn mail_wakes_a_sleeper() {
    model(3, || mail_wakes(false));
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_wake_that_is_dropped_is_seen() {
    model(3, || mail_wakes(true));
}

#[test]
fn two_senders_wake_one_sleeper() {
    model(2, || {
        let machine = Machine::new(3);
        let senders = [0, 2].map(|from| {
            thread::spawn(move || {
                machine.create(machine.carrier(from), Box::new(|_| Do::Exit(0)), on(1));
            })
        });
        let carrier = machine.carrier(1);
        let first = carrier.run(machine.kernel());
        carrier.exit(first, 0, machine.kernel());
        let second = carrier.run(machine.kernel());
        assert!(!core::ptr::eq(first, second));
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        machine.end();
    });
}

#[test]
fn a_completion_wakes_a_sleeper() {
    model(3, || {
        let machine = Machine::new(1);
        let mut called = false;
        let caller = machine.create(
            machine.carrier(0),
            Box::new(
                move |_| if std::mem::replace(&mut called, true) { Do::Stop } else { Do::Call },
            ),
            Options { priority: Some(16), ..Options::USUAL },
        );
        let kernel = thread::spawn(move || machine.complete(0, caller, 5));
        machine.drive(0);
        assert_eq!(caller.0.sysmsg.get().result.value, 5);
        kernel.join().unwrap();
        machine.end();
    });
}

#[test]
fn mail_and_a_completion_come_together() {
    model(2, || {
        let machine = Machine::new(2);
        let carrier = machine.carrier(1);
        let own = Options { priority: Some(16), ..Options::USUAL };
        let caller = machine.create(carrier, Box::new(|_| Do::Call), own);
        let running = carrier.run(machine.kernel());
        carrier.await_completion(running);
        let sender = thread::spawn(move || {
            machine.create(machine.carrier(0), Box::new(|_| Do::Exit(0)), on(1));
        });
        let kernel = thread::spawn(move || machine.complete(1, caller, 5));
        for _ in 0..2 {
            let running = carrier.run(machine.kernel());
            carrier.exit(running, 0, machine.kernel());
        }
        sender.join().unwrap();
        kernel.join().unwrap();
        machine.end();
    });
}

#[test]
fn a_unit_goes_from_carrier_to_carrier() {
    model(2, || {
        let machine = Machine::new(2);
        let semaphore = Object::new(Semaphore::shared(0));
        let other = thread::spawn(move || machine.drive(1));
        let mut step = 0;
        let mut taker = None;
        let main = move |last: Last| {
            step += 1;
            if let Last::Thread(thread) = last {
                taker.get_or_insert(thread);
            }
            match step {
                1 => {
                    let mut took = false;
                    let body = move |_: Last| {
                        if std::mem::replace(&mut took, true) {
                            Do::Exit(9)
                        } else {
                            Do::Take(semaphore.get())
                        }
                    };
                    Do::Create(Box::new(body), on(1))
                }
                2 => Do::Give(semaphore.get()),
                3 => Do::Join(taker.expect("created")),
                4 => Do::Create(Box::new(|_| Do::Stop), on(1)),
                _ => Do::Stop,
            }
        };
        machine.create(
            machine.carrier(0),
            Box::new(main),
            Options { priority: Some(16), ..Options::USUAL },
        );
        machine.drive(0);
        other.join().unwrap();
        machine.end();
    });
}
