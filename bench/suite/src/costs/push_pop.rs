//! What handing a call over costs in the ring itself.

use core::hint::black_box;
use ipiq::{Call, Consumer, Producer, Ring};
use kernel_core::cpu::critical;
use percpu::Crit;

fn nothing(_: &Crit, _: usize, _: usize, _: usize) {}

/// Pushes a call and pops it, and pushes what was popped: eight words moved, and none that the compiler knows.
/// By itself, so that the registers of the benchmark's loop are not in the way.
#[inline(never)]
fn pass(
    crit: &Crit,
    producer: &mut Producer<'_>,
    consumer: &mut Consumer<'_>,
    call: Call,
    calls: u64,
) -> Option<Call> {
    let Call { mut func, args: [mut a, mut b, mut c] } = call;
    for _ in 0..calls {
        producer.push(crit, Call::new(func, [a, b, c])).ok()?;
        let popped = consumer.pop(crit)?;
        func = popped.func;
        [a, b, c] = popped.args;
    }
    Some(Call::new(func, [a, b, c]))
}

bench_api::bench! {
    name: "ipi/push_pop",
    doc: "A function and three words pushed into a ring and popped from it again, on one CPU.",
    goal: "G11",
    lies: "The loop is in it: two instructions. Words known to the compiler would not be loaded; a queue longer than one would let either end run in a batch.",
    shape: "flat in the depth of the ring",
    run: |b| {
        b.batch(64);
        let mut ring = alloc::boxed::Box::new(Ring::<{ ipiq::RING_DEPTH }>::new());
        let (mut producer, mut consumer) = ring.split();
        let mut lost = 0_u64;
        let first = black_box(Call::new(nothing, [1, 2, 3]));
        critical(|crit| {
            b.iter_ticks(|calls| {
                let start = arch::time::tsc();
                let last = pass(crit, &mut producer, &mut consumer, first, calls);
                let ticks = arch::time::tsc() - start;
                lost += u64::from(last.is_none_or(|last| last.args != [1, 2, 3]));
                ticks
            });
            b.check(consumer.pop(crit).is_none(), "what was pushed was popped");
        });
        b.check(lost == 0, "each push found room and each pop its call");
    },
}
