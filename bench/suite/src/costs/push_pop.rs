//! What handing a call over costs in the ring itself.

use core::hint::black_box;
use ipiq::{Call, Ring};
use kernel_core::cpu::critical;
use percpu::Crit;

fn nothing(_: &Crit, _: [usize; 3]) {}

bench_api::bench! {
    name: "ipi/push_pop",
    doc: "A function and three words pushed into a ring and popped from it again, on one CPU.",
    goal: "G11",
    lies: "The loop itself is in it, two instructions or three. Words known to the compiler would not be loaded; a queue longer than one would let either end run in a batch.",
    shape: "flat in the depth of the ring",
    run: |b| {
        b.batch(64);
        let mut ring = alloc::boxed::Box::new(Ring::<{ ipiq::RING_DEPTH }>::new());
        let (mut producer, mut consumer) = ring.split();
        let mut lost = 0_u64;
        let first = black_box(Call::new(nothing, [1, 2, 3]));
        critical(|crit| {
            b.iter_ticks(|calls| {
                // What is popped is what is pushed next: eight words moved, and none that the compiler knows.
                let Call { mut func, args: [mut a, mut b, mut c] } = first;
                let start = arch::time::tsc();
                for _ in 0..calls {
                    let pushed = producer.push(crit, Call::new(func, [a, b, c])).is_ok();
                    let popped = consumer.pop(crit);
                    if let (true, Some(call)) = (pushed, popped) {
                        func = call.func;
                        [a, b, c] = call.args;
                    } else {
                        lost += 1;
                        break;
                    }
                }
                let ticks = arch::time::tsc() - start;
                lost += u64::from([a, b, c] != [1, 2, 3]);
                black_box(func);
                ticks
            });
            b.check(consumer.pop(crit).is_none(), "what was pushed was popped");
        });
        b.check(lost == 0, "each push found room and each pop its call");
    },
}
