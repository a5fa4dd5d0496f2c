//! What looking at something costs that may be taken away, taking it away, and sending to a port that is.

use crate::environment::may_block;
use crate::steps::{Ask, answer_all, here, measure_do, other, partner};
use alloc::boxed::Box;
use core::hint::black_box;
use kernel_core::published::Published;
use kernel_core::{ipi, thread};
use lwkt_port::{Port, PublishedPort, ThreadPort};
use percpu::Crit;

static NUMBER: Published<u64> = Published::new();
static PLACE: PublishedPort<Ask> = PublishedPort::new();

/// Puts a number there, and takes it away after `body`.
fn with_number(body: impl FnOnce()) {
    let number = Box::leak(Box::new(1));
    NUMBER.publish(number).expect("nobody else publishes");
    body();
    let number = NUMBER.take().expect("it is there").reclaim(&mut may_block());
    // SAFETY: leaked above; it is back.
    drop(unsafe { Box::from_raw(core::ptr::from_mut(number)) });
}

bench_api::bench! {
    name: "kernel/published",
    doc: "A value is looked at that other CPUs may take away; four times in a step.",
    lies: "The pointer and the set of readers are in this CPU's cache: they leave it when somebody takes the value away.",
    shape: "flat in CPUs and in threads",
    run: |b| {
        let mut cx = may_block();
        let mut sum = 0;
        b.ops(4);
        b.batch(64);
        with_number(|| b.iter(|| {
            for _ in 0..4 {
                sum += NUMBER.read(black_box(&mut cx), |number| number.copied().unwrap_or(0));
            }
        }));
        b.check(sum > 4, "the value was there");
    },
}

bench_api::bench! {
    name: "kernel/published_reclaim",
    doc: "A halted CPU looks at a value, by a call that is waited for; the value is taken away, reclaimed when that CPU has looked, and published again: work of both.",
    cpus: 2,
    lies: "Counts work, says nothing of latency. One CPU has looked; each further one is another errand.",
    shape: "linear in CPUs that have looked since the last time",
    run: |b| {
        let mut cx = may_block();
        let mut seen = 0;
        with_number(|| b.iter(|| {
            // SAFETY: it only looks.
            let look = |crit: &Crit| unsafe { NUMBER.read_in(crit, |number| number.copied()) };
            seen += ipi::call(other(), look).unwrap_or(0);
            let number = NUMBER.take().expect("it is there").reclaim(&mut cx);
            NUMBER.publish(number).expect("nobody else publishes");
        }));
        b.check(seen > 2, "the other CPU has looked each time");
    },
}

bench_api::bench! {
    name: "port/published",
    doc: "As kernel/port_do, to a port that comes and goes: the place looked at, the port behind it found.",
    lies: "Nobody takes the port away meanwhile.",
    shape: "flat in CPUs, threads and ports",
    run: |b| {
        let mut cx = may_block();
        let memory = Box::leak(Box::new(ThreadPort::new()));
        let server = partner(here(), move |cx| {
            let mut opened = PLACE.open(cx, memory).unwrap_or_else(|_| unreachable!("one opens it"));
            answer_all(|| opened.receive(cx));
            let memory = opened.close(cx);
            // SAFETY: leaked above; it is back.
            drop(unsafe { Box::from_raw(core::ptr::from_mut(memory)) });
        });
        // Until it is open.
        while PLACE.do_(&mut cx, &mut Ask::after(0)).is_err() {
            thread::yield_now(&mut cx);
        }
        measure_do(b, &PLACE, server);
    },
}
