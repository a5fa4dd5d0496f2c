//! The shipped ring, doorbell and fabric under loom, with rings of few slots: every order within the bound is tried.
//!
//! `cargo test -p ipiq --release --features loom --test models`. A CPU that has nothing to do blocks until its
//! doorbell rings, so a doorbell that is lost is a deadlock, which loom reports.
#![cfg(feature = "loom")]

use std::cell::Cell;

use ipiq::doorbell::{Doorbell, Knock, mark_of};
use ipiq::plant::{Bug, choose};
use ipiq::{Bell, Call, Fabric, Full, Ring};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use percpu::{CpuId, CpuSet, Crit, Here};

const ZERO: CpuId = CpuId::BOOT;
const ONE: CpuId = CpuId::at(1);

loom::thread_local! {
    static HERE: Cell<usize> = Cell::new(0);
    /// What ran on this CPU, in order: a digit for each call, after a leading 1.
    static RAN: Cell<usize> = Cell::new(1);
}

/// Interrupt lines that a halted CPU waits for.
struct Lines([loom::sync::Notify; 2]);

// SAFETY: each thread of a model plays one CPU.
unsafe impl Here for Lines {
    fn here(_crit: &Crit) -> CpuId {
        CpuId::at(HERE.with(Cell::get))
    }
}

impl Bell for Lines {
    fn ring(&self, _: &Crit, to: CpuId) {
        self.0[to.index()].notify();
    }
}

/// Two CPUs with rings of `DEPTH` slots.
type Two<const DEPTH: usize> = Fabric<Lines, 2, DEPTH>;

fn crit() -> Crit {
    // SAFETY: the thread that plays a CPU is that CPU's only one.
    unsafe { Crit::assume() }
}

/// Tries all orders with at most `preemptions` of them forced.
fn model(preemptions: usize, body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(body);
}

/// Makes a fabric of two CPUs; it lives as long as the process, as loom's cells may.
fn two<const DEPTH: usize>() -> &'static Two<DEPTH> {
    Box::leak(Box::new(Fabric::new(Lines([loom::sync::Notify::new(), loom::sync::Notify::new()]))))
}

fn play<const DEPTH: usize>(fabric: &Two<DEPTH>, cpu: usize, rings: usize) {
    HERE.with(|here| here.set(cpu));
    for _ in 0..rings {
        fabric.stock(&crit(), Box::leak(Box::new(Ring::new())));
    }
}

fn note(_crit: &Crit, digit: usize, _: usize, _: usize) {
    RAN.with(|ran| ran.set(ran.get() * 10 + digit));
}

fn digit(digit: usize) -> Call {
    Call::new(note, [digit, 0, 0])
}

fn ran() -> usize {
    RAN.with(Cell::get)
}

/// Halts until the doorbell rings, drains, until `expected` ran.
fn serve_until_ran<const DEPTH: usize>(fabric: &Two<DEPTH>, cpu: usize, expected: usize) {
    while ran() < expected {
        fabric.bell().0[cpu].wait();
        fabric.drain(&crit());
    }
    assert_eq!(ran(), expected);
}

#[test]
fn ring_slot() {
    model(3, || {
        let ring = Arc::new(Ring::<2>::new());
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
#[test]
fn doorbell_word() {
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
                    if bell.0.knock(mark_of(CpuId::at(cpu))) == Knock::Ring {
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

fn empty_to_pending_body() {
    let fabric = two::<4>();
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

#[test]
fn empty_to_pending() {
    model(3, empty_to_pending_body);
}

/// The same with a bug, which it has to see.
fn planted(bug: Bug) {
    choose(Some(bug));
    empty_to_pending();
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
fn empty_to_pending_with_polling() {
    model(3, || {
        let fabric = two::<4>();
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

#[test]
fn full_ring() {
    model(2, || {
        let fabric = two::<2>();
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

#[test]
fn two_cpus_fill_each_other() {
    model(2, || {
        let fabric = two::<2>();
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
#[test]
fn two_cpus_fill_each_other_with_answers() {
    static FABRIC: std::sync::atomic::AtomicPtr<Two<2>> =
        std::sync::atomic::AtomicPtr::new(std::ptr::null_mut());
    loom::thread_local! { static ASKED: Cell<usize> = Cell::new(0); }
    fn ask(crit: &Crit, digit_back: usize, from: usize, _: usize) {
        ASKED.with(|asked| asked.set(asked.get() + 1));
        // SAFETY: the model that runs stored it, and models of this test do not overlap.
        let fabric = unsafe { &*FABRIC.load(std::sync::atomic::Ordering::Relaxed) };
        fabric.send(crit, CpuId::at(from), digit(digit_back));
    }
    model(2, || {
        let fabric = two::<2>();
        FABRIC.store(std::ptr::from_ref(fabric).cast_mut(), std::sync::atomic::Ordering::Relaxed);
        let body = move |me: usize, other: CpuId| {
            play(fabric, me, 4);
            for number in 1..=3 {
                fabric.send(&crit(), other, Call::new(ask, [number, me, 0]));
            }
            while ran() < 1123 || ASKED.with(Cell::get) < 3 {
                fabric.bell().0[me].wait();
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
#[test]
fn passive_pick_up() {
    model(3, || {
        let fabric = two::<8>();
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
#[test]
fn passive_then_full() {
    model(2, || {
        let fabric = two::<2>();
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

#[test]
fn acknowledge() {
    model(2, || {
        let fabric = two::<2>();
        let target = thread::spawn(move || {
            play(fabric, 1, 0);
            serve_until_ran(fabric, 1, 17);
        });
        play(fabric, 0, 1);
        fabric.sync(&crit(), &CpuSet::one(ONE), |crit, number| note(crit, number, 0, 0), 7);
        target.join().unwrap();
    });
}
