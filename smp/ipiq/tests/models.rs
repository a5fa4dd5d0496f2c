//! The shipped ring, doorbell and fabric under loom, with rings of few slots: every order within the bound is tried.
//!
//! `cargo test -p ipiq --release --features loom --test models`. A CPU that has nothing to do blocks until its
//! doorbell rings, so a doorbell that is lost is a deadlock, which loom reports. Those in which a doorbell rings are run for each
//! policy of knocking.
#![cfg(feature = "loom")]

#[path = "common/model.rs"]
mod common;

use std::cell::Cell;

use common::*;
use ipiq::doorbell::{Doorbell, mark_of};
use ipiq::handover::{Handover, Indexed, Usual};
use ipiq::knocking::{Eager, Elide, Knock, Knocking};
use ipiq::plant::{Bug, choose};
use ipiq::{Call, Full, RingBy};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use percpu::{CpuId, CpuSet, Crit};

/// A test for each policy of knocking.
macro_rules! for_each_policy {
    ($($name:ident;)+) => {
        mod elide {
            $(#[test] fn $name() { super::$name::<super::Elide>(); })+
        }
        mod eager {
            $(#[test] fn $name() { super::$name::<super::Eager>(); })+
        }
    };
}

for_each_policy! {
    doorbell_word;
    empty_to_pending;
    empty_to_pending_with_polling;
    full_ring;
    two_cpus_fill_each_other;
    two_cpus_fill_each_other_with_answers;
    passive_pick_up;
    passive_then_full;
    acknowledge;
    park_run_release;
    park_another_next;
    two_masters_park_each_other;
    tree_of_relays;
}

#[test]
fn ring_slot() {
    ring_slot_of::<Usual>();
}

#[test]
fn ring_indices() {
    ring_slot_of::<Indexed>();
}

fn ring_slot_of<H: Handover>() {
    model(3, || {
        let ring = Arc::new(RingBy::<H, 2>::new());
        let producer = ring.clone();
        let pushing = thread::spawn(move || {
            for number in 1..=3 {
                let call = Call::new(note, [number, number + 10, number + 20]);
                // SAFETY: this thread is the only producer.
                while let Err(Full(_)) = unsafe { producer.push(&crit(), call) } {
                    thread::yield_now();
                }
            }
        });
        for number in 1..=3 {
            let call = loop {
                // SAFETY: this thread is the only consumer.
                match unsafe { ring.pop(&crit()) } {
                    Some(call) => break call,
                    None => thread::yield_now(),
                }
            };
            assert_eq!(call.args, [number, number + 10, number + 20]);
        }
        pushing.join().unwrap();
    });
}

/// The word alone, with a target that also polls for a while, and two senders.
fn doorbell_word<K: Knocking>() {
    model(3, || {
        let bell = Arc::new((
            Doorbell::new(),
            loom::sync::Notify::new(),
            [AtomicUsize::new(0), AtomicUsize::new(0)],
        ));
        let senders: Vec<_> = (0..2)
            .map(|cpu| {
                let bell = bell.clone();
                thread::spawn(move || {
                    bell.2[cpu].store(1, Ordering::Relaxed);
                    if bell.0.knock::<K>(mark_of(CpuId::at(cpu))) == Knock::Ring {
                        bell.1.notify();
                    }
                })
            })
            .collect();
        let mut seen = 0;
        let mut look = || {
            let marks = bell.0.take();
            for cpu in 0..2 {
                if marks & mark_of(CpuId::at(cpu)) != 0 {
                    assert_eq!(
                        bell.2[cpu].load(Ordering::Relaxed),
                        1,
                        "the mark shows what came before it"
                    );
                    seen |= marks;
                }
            }
            seen
        };
        look();
        loop {
            let seen = look();
            if !bell.0.settle(0) {
                continue;
            }
            if seen == 0b11 {
                break;
            }
            bell.1.wait();
        }
        senders.into_iter().for_each(|sender| sender.join().unwrap());
    });
}

fn empty_to_pending_body<K: Knocking>() {
    let fabric = few::<K, 2, 4>();
    let target = thread::spawn(move || {
        play(fabric, 1, 0);
        serve_until_ran(fabric, 1, 1123);
    });
    play(fabric, 0, 1);
    for number in 1..=3 {
        fabric.send(&crit(), ONE, digit(number));
    }
    target.join().unwrap();
}

fn empty_to_pending<K: Knocking>() {
    model(3, empty_to_pending_body::<K>);
}

/// The same with a bug, which it has to see.
fn planted(bug: Bug) {
    choose(Some(bug), 0);
    empty_to_pending::<Elide>();
}

#[test]
#[should_panic(expected = "deadlock")]
fn sees_a_call_that_is_lost() {
    planted(Bug::Lose);
}

#[test]
#[should_panic(expected = "left == right")]
fn sees_a_call_that_is_doubled() {
    planted(Bug::Double);
}

#[test]
#[should_panic(expected = "left == right")]
fn sees_calls_in_the_wrong_order() {
    planted(Bug::Reorder);
}

#[test]
#[should_panic(expected = "deadlock")]
fn sees_a_doorbell_that_is_lost() {
    planted(Bug::LostDoorbell);
}

#[test]
#[should_panic(expected = "deadlock")]
fn sees_a_missing_fence() {
    planted(Bug::MissingFence);
}

/// An answer too many comes, or finds nobody who would make room for it.
#[test]
#[should_panic]
fn sees_a_stale_index() {
    choose(Some(Bug::StaleIndex), 0);
    two_cpus_fill_each_other_with_answers::<Elide>();
}

fn empty_to_pending_with_polling<K: Knocking>() {
    model(3, || {
        let fabric = few::<K, 2, 4>();
        let target = thread::spawn(move || {
            play(fabric, 1, 0);
            fabric.poll_enter(&crit());
            fabric.drain(&crit());
            fabric.poll_exit(&crit());
            serve_until_ran(fabric, 1, 112);
        });
        play(fabric, 0, 1);
        fabric.send(&crit(), ONE, digit(1));
        fabric.send(&crit(), ONE, digit(2));
        target.join().unwrap();
    });
}

fn full_ring<K: Knocking>() {
    model(2, || {
        let fabric = few::<K, 2, 2>();
        let target = thread::spawn(move || {
            play(fabric, 1, 0);
            serve_until_ran(fabric, 1, 11234);
        });
        play(fabric, 0, 1);
        for number in 1..=4 {
            fabric.send(&crit(), ONE, digit(number));
        }
        target.join().unwrap();
    });
}

fn two_cpus_fill_each_other<K: Knocking>() {
    model(2, || {
        let fabric = few::<K, 2, 2>();
        let body = move |me: usize, other: CpuId| {
            play(fabric, me, 1);
            for number in 1..=3 {
                fabric.send(&crit(), other, digit(number));
            }
            serve_until_ran(fabric, me, 1123);
        };
        let one = thread::spawn(move || body(1, ZERO));
        body(0, ONE);
        one.join().unwrap();
    });
}

/// As above, and each call answers: the answers find full rings, inside calls.
fn two_cpus_fill_each_other_with_answers<K: Knocking>() {
    loom::thread_local! { static ASKED: Cell<usize> = Cell::new(0); }
    fn ask<K: Knocking>(crit: &Crit, digit_back: usize, from: usize, fabric: usize) {
        ASKED.with(|asked| asked.set(asked.get() + 1));
        // SAFETY: the model made the word from its fabric, which lives as long as the process.
        let fabric = unsafe { &*std::ptr::with_exposed_provenance::<Two<K, 2>>(fabric) };
        fabric.send(crit, CpuId::at(from), digit(digit_back));
    }
    // With two it takes minutes.
    model(1, || {
        let fabric = few::<K, 2, 2>();
        let word = std::ptr::from_ref(fabric).expose_provenance();
        let body = move |me: usize, other: CpuId| {
            play(fabric, me, 4);
            for number in 1..=3 {
                fabric.send(&crit(), other, Call::new(ask::<K>, [number, me, word]));
            }
            while ran() < 1123 || ASKED.with(Cell::get) < 3 {
                halt(fabric, me);
                fabric.drain(&crit());
            }
            assert_eq!(ran(), 1123);
        };
        let one = thread::spawn(move || body(1, ZERO));
        body(0, ONE);
        one.join().unwrap();
    });
}

/// One passive send makes no noise, and is not lost: the target finds it when it looks by itself, or the next send,
/// which is the quarter, rings; and the order is kept.
fn passive_pick_up<K: Knocking>() {
    model(3, || {
        let fabric = few::<K, 2, 8>();
        let target = thread::spawn(move || {
            play(fabric, 1, 0);
            fabric.tick(&crit());
            serve_until_ran(fabric, 1, 1123);
        });
        play(fabric, 0, 1);
        fabric.send_passive(&crit(), ONE, digit(1));
        fabric.send_passive(&crit(), ONE, digit(2));
        fabric.send(&crit(), ONE, digit(3));
        target.join().unwrap();
    });
}

/// A ring that was filled passively, and then a send that finds it full.
fn passive_then_full<K: Knocking>() {
    model(2, || {
        let fabric = few::<K, 2, 2>();
        let target = thread::spawn(move || {
            play(fabric, 1, 0);
            serve_until_ran(fabric, 1, 1123);
        });
        play(fabric, 0, 1);
        fabric.send_passive(&crit(), ONE, digit(1));
        fabric.send_passive(&crit(), ONE, digit(2));
        fabric.send_passive(&crit(), ONE, digit(3));
        target.join().unwrap();
    });
}

fn acknowledge<K: Knocking>() {
    model(2, || {
        let fabric = few::<K, 2, 2>();
        let target = thread::spawn(move || {
            play(fabric, 1, 0);
            serve_until_ran(fabric, 1, 17);
        });
        play(fabric, 0, 1);
        fabric.sync(&crit(), &CpuSet::one(ONE), |crit, number| note(crit, number, 0, 0), 7);
        target.join().unwrap();
    });
}

/// CPU 1 is parked, executes two orders, and is let go; then parked again, for an order that sees the first two.
fn park_run_release<K: Knocking>() {
    model(2, || {
        let fabric = few::<K, 2, 2>();
        let target = thread::spawn(move || {
            play(fabric, 1, 0);
            serve_until_ran(fabric, 1, 1123);
        });
        play(fabric, 0, 1);
        let seen = AtomicUsize::new(0);
        for orders in [1..=2, 3..=3] {
            let crit = crit();
            let parked = fabric.park(&crit, &CpuSet::one(ONE));
            for number in orders {
                parked.run_on_all(|crit| {
                    note(crit, number, 0, 0);
                    // Relaxed: what is acknowledged is seen.
                    seen.store(number, Ordering::Relaxed);
                });
                assert_eq!(seen.load(Ordering::Relaxed), number);
            }
        }
        target.join().unwrap();
    });
}

/// CPU 1 is parked and let go, and then CPU 2: what is said to that one is not taken for a word to CPU 1, which may be late.
fn park_another_next<K: Knocking>() {
    model(1, || {
        let fabric = few::<K, 3, 2>();
        let target = |me: usize| {
            move || {
                play(fabric, me, 0);
                // Over when it was let go; a halt may end without a doorbell.
                while fabric.counters(CpuId::at(me)).obeyed.get() == 0 {
                    halt(fabric, me);
                    fabric.drain(&crit());
                }
                assert_eq!(ran(), 1);
            }
        };
        let others = [thread::spawn(target(1)), thread::spawn(target(2))];
        play(fabric, 0, 2);
        for cpu in [1, 2] {
            let crit = crit();
            let parked = fabric.park(&crit, &CpuSet::one(CpuId::at(cpu)));
            if cpu == 2 {
                parked.run_on_all(|_| ());
            }
        }
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}

/// Both park the other and themselves, and have both execute something: none waits for ever, and each order runs on both.
fn two_masters_park_each_other<K: Knocking>() {
    model(2, || {
        let fabric = few::<K, 2, 2>();
        let body = move |me: usize| {
            play(fabric, me, 1);
            {
                let crit = crit();
                let parked = fabric.park(&crit, &CpuSet::first_n(2));
                parked.run_on_all(|crit| note(crit, 1, 0, 0));
                assert_eq!(parked.others(), 1);
            }
            serve_until_ran(fabric, me, 111);
        };
        let one = thread::spawn(move || body(1));
        body(0);
        one.join().unwrap();
    });
}

/// CPU 0 broadcasts twice over CPU 1 to CPU 2; the second waits until nobody reads the first any more.
fn tree_of_relays<K: Knocking>() {
    model(1, || {
        let fabric = few::<K, 3, 2>();
        let target = |me: usize| {
            move || {
                play(fabric, me, 1);
                serve_until_ran(fabric, me, 112);
            }
        };
        let others = [thread::spawn(target(1)), thread::spawn(target(2))];
        play(fabric, 0, 2);
        let set = CpuSet::first_n(3).minus(&CpuSet::one(ZERO));
        fabric.send_mask(&crit(), &set, digit(1));
        fabric.sync(&crit(), &set, |crit, number| note(crit, number, 0, 0), 2);
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}
