//! Rings: push and pop on one thread, a stream and round trips between two CPUs. 32 slots and 32 bytes a message on
//! every side; both sides go through the same loops.

use crate::clock::ticks;
use crate::rounds::together;
use crossbeam_queue::ArrayQueue;
use ipiq::{Call, Consumer, Producer, RING_DEPTH, Ring};
use percpu::Crit;
use std::hint::{black_box, spin_loop};

// A measurement is short beside a time slice of the host's, so that most of them are undisturbed.
/// Messages per measurement on one thread.
const ALONE: usize = 50_000;
/// Messages per measurement across CPUs.
const STREAM: usize = 20_000;
/// Round trips per measurement.
const TRIPS: usize = 2_000;

/// The payload on every side: a function and three words.
fn call(number: usize) -> Call {
    Call::new(function, [number, number + 1, number + 2])
}

fn sum(call: Call) -> usize {
    let [a, b, c] = call.args;
    (call.func as *const () as usize).wrapping_add(a).wrapping_add(b).wrapping_add(c)
}

/// What `count` messages add up to: each arrived, with all its words, on whichever side.
fn check(total: usize, count: usize) {
    let expected = (0..count).map(|number| sum(call(number))).fold(0, usize::wrapping_add);
    assert_eq!(black_box(total), expected, "messages were lost");
}

fn function(_: &Crit, _: usize, _: usize, _: usize) {}

fn crit() -> Crit {
    // SAFETY: (1) the thread is pinned and alone in using its end of the ring; (2) a host thread has no interrupt handlers.
    unsafe { Crit::assume() }
}

fn send(tx: &mut Producer<'_>, crit: &Crit, number: usize) -> bool {
    tx.push(crit, call(number)).is_ok()
}

fn receive(rx: &mut Consumer<'_>, crit: &Crit) -> Option<usize> {
    rx.pop(crit).map(sum)
}

/// Push and pop by turns on one thread.
pub mod push_pop {
    use super::*;

    /// Ticks per message.
    #[inline(always)]
    fn measure(mut push: impl FnMut(usize) -> bool, mut pop: impl FnMut() -> Option<usize>) -> f64 {
        let mut total = 0_usize;
        let start = ticks();
        for number in 0..ALONE {
            push(number);
            total = total.wrapping_add(pop().unwrap_or(0));
        }
        let end = ticks();
        check(total, ALONE);
        (end - start) as f64 / ALONE as f64
    }

    #[inline(never)]
    pub fn ours() -> f64 {
        let mut ring = black_box(Box::new(Ring::<RING_DEPTH>::new()));
        let (mut tx, mut rx) = ring.split();
        let crit = crit();
        measure(|number| send(&mut tx, &crit, number), || receive(&mut rx, &crit))
    }

    #[inline(never)]
    pub fn rtrb() -> f64 {
        let (mut tx, mut rx) = black_box(rtrb::RingBuffer::<Call>::new(RING_DEPTH));
        measure(|number| tx.push(call(number)).is_ok(), || rx.pop().ok().map(sum))
    }

    #[inline(never)]
    pub fn array_queue() -> f64 {
        let queue = black_box(ArrayQueue::<Call>::new(RING_DEPTH));
        measure(|number| queue.push(call(number)).is_ok(), || queue.pop().map(sum))
    }
}

/// Push and pop by turns on two CPUs at once, each with rings of its own: what a second CPU adds.
pub mod two_cpus {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::Acquire, Ordering::Release};

    /// Of so many messages one goes to the other CPU.
    const CROSSING: usize = 10;
    /// Messages between two looks at what came from there: ten of it lie in the ring then.
    const LOOK: usize = 100;

    /// Ticks per message of both, from the common start until both are done.
    #[inline(always)]
    fn measure(cpus: (usize, usize), work: impl Fn(usize) -> usize + Sync) -> f64 {
        let done = AtomicUsize::new(0);
        let side = |number| {
            check(work(number), ALONE);
            // Pairs with: the other side's wait, acquire.
            done.fetch_add(1, Release);
            while done.load(Acquire) != 2 {
                spin_loop();
            }
        };
        together(cpus, || side(1), || side(0)) / (2 * ALONE) as f64
    }

    /// Nothing is shared.
    #[inline(never)]
    pub fn apart(cpus: (usize, usize)) -> f64 {
        measure(cpus, |_| {
            let mut ring = black_box(Box::new(Ring::<RING_DEPTH>::new()));
            let (mut tx, mut rx) = ring.split();
            let crit = crit();
            (0..ALONE).fold(0, |total, number| {
                send(&mut tx, &crit, number);
                total.wrapping_add(receive(&mut rx, &crit).unwrap_or(0))
            })
        })
    }

    /// One message of ten crosses.
    #[inline(never)]
    pub fn crossing(cpus: (usize, usize)) -> f64 {
        let mut there = black_box(Box::new(Ring::<RING_DEPTH>::new()));
        let mut back = black_box(Box::new(Ring::<RING_DEPTH>::new()));
        let ((to_second, from_first), (to_first, from_second)) = (there.split(), back.split());
        let ends = [(to_second, from_second), (to_first, from_first)];
        let ends = ends.map(|ends| std::sync::Mutex::new(Some(ends)));
        measure(cpus, |side| {
            let mine = ends[side].lock().expect("nobody panics").take();
            let (mut out, mut from) = mine.expect("each side takes its ends once");
            let mut ring = black_box(Box::new(Ring::<RING_DEPTH>::new()));
            let (mut tx, mut rx) = ring.split();
            let crit = crit();
            let (mut total, mut came) = (0_usize, 0);
            // All that has come.
            let mut take = || {
                while let Some(got) = receive(&mut from, &crit) {
                    came += 1;
                    total = total.wrapping_add(got);
                }
                came
            };
            let mut own = 0_usize;
            for number in 0..ALONE {
                if number % CROSSING == 0 {
                    while !send(&mut out, &crit, number) {
                        take();
                        spin_loop();
                    }
                } else {
                    send(&mut tx, &crit, number);
                    own = own.wrapping_add(receive(&mut rx, &crit).unwrap_or(0));
                }
                if number % LOOK == 0 {
                    take();
                }
            }
            while take() < ALONE / CROSSING {
                spin_loop();
            }
            total.wrapping_add(own)
        })
    }
}

/// One CPU pushes as fast as it can, another pops.
pub mod stream {
    use super::*;

    /// Ticks per message.
    #[inline(always)]
    fn measure(
        cpus: (usize, usize),
        mut push: impl FnMut(usize) -> bool + Send,
        mut pop: impl FnMut() -> Option<usize>,
    ) -> f64 {
        let mut total = 0_usize;
        let produce = || {
            for number in 0..STREAM {
                while !push(number) {
                    spin_loop();
                }
            }
        };
        let consume = || {
            for _ in 0..STREAM {
                let got = loop {
                    match pop() {
                        Some(got) => break got,
                        None => spin_loop(),
                    }
                };
                total = total.wrapping_add(got);
            }
        };
        let ticks = together(cpus, produce, consume);
        check(total, STREAM);
        ticks / STREAM as f64
    }

    #[inline(never)]
    pub fn ours(cpus: (usize, usize)) -> f64 {
        let mut ring = black_box(Box::new(Ring::<RING_DEPTH>::new()));
        let (mut tx, mut rx) = ring.split();
        measure(cpus, |number| send(&mut tx, &crit(), number), || receive(&mut rx, &crit()))
    }

    #[inline(never)]
    pub fn rtrb(cpus: (usize, usize)) -> f64 {
        let (mut tx, mut rx) = black_box(rtrb::RingBuffer::<Call>::new(RING_DEPTH));
        measure(cpus, |number| tx.push(call(number)).is_ok(), || rx.pop().ok().map(sum))
    }

    #[inline(never)]
    pub fn array_queue(cpus: (usize, usize)) -> f64 {
        let queue = black_box(ArrayQueue::<Call>::new(RING_DEPTH));
        measure(cpus, |number| queue.push(call(number)).is_ok(), || queue.pop().map(sum))
    }
}

/// A message there and one back, over two rings.
pub mod round_trip {
    use super::*;

    /// Ticks per round trip.
    #[inline(always)]
    fn measure(
        cpus: (usize, usize),
        mut ask: impl FnMut(usize) -> bool,
        mut hear: impl FnMut() -> Option<usize> + Send,
        mut answer: impl FnMut(usize) -> bool + Send,
        mut done: impl FnMut() -> Option<usize>,
    ) -> f64 {
        let mut total = 0_usize;
        let serve = || {
            for _ in 0..TRIPS {
                let got = loop {
                    match hear() {
                        Some(got) => break got,
                        None => spin_loop(),
                    }
                };
                answer(got);
            }
        };
        let call = || {
            for number in 0..TRIPS {
                ask(number);
                let got = loop {
                    match done() {
                        Some(got) => break got,
                        None => spin_loop(),
                    }
                };
                total = total.wrapping_add(got);
            }
        };
        let ticks = together(cpus, serve, call);
        // The answer carries the sum of a call's words as its number.
        let answered = |number| sum(super::call(sum(super::call(number))));
        let expected = (0..TRIPS).map(answered);
        assert_eq!(black_box(total), expected.fold(0, usize::wrapping_add), "messages were lost");
        ticks / TRIPS as f64
    }

    #[inline(never)]
    pub fn ours(cpus: (usize, usize)) -> f64 {
        let mut there = black_box(Box::new(Ring::<RING_DEPTH>::new()));
        let mut back = black_box(Box::new(Ring::<RING_DEPTH>::new()));
        let (mut ask, mut hear) = there.split();
        let (mut answer, mut done) = back.split();
        measure(
            cpus,
            |number| send(&mut ask, &crit(), number),
            || receive(&mut hear, &crit()),
            |number| send(&mut answer, &crit(), number),
            || receive(&mut done, &crit()),
        )
    }

    #[inline(never)]
    pub fn rtrb(cpus: (usize, usize)) -> f64 {
        let (mut ask, mut hear) = black_box(rtrb::RingBuffer::<Call>::new(RING_DEPTH));
        let (mut answer, mut done) = black_box(rtrb::RingBuffer::<Call>::new(RING_DEPTH));
        measure(
            cpus,
            |number| ask.push(call(number)).is_ok(),
            || hear.pop().ok().map(sum),
            |number| answer.push(call(number)).is_ok(),
            || done.pop().ok().map(sum),
        )
    }
}
