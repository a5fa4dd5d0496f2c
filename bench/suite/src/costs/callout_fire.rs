//! What a callout costs that is armed and fires: in place, and on its CPU's callout thread.

use crate::environment::may_block;
use bench_api::Bencher;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use kernel_core::callout::{Callout, Firing, When};
use kernel_core::{cpu, thread};
use lwkt_sched::MayBlock;
use percpu::Crit;

/// Callouts that are armed and fire together.
const TOGETHER: u64 = 64;

/// Firings of either sort.
static FIRED: AtomicU64 = AtomicU64::new(0);

/// This CPU alone counts: no read-modify-write.
fn count() {
    FIRED.store(FIRED.load(Relaxed) + 1, Relaxed);
}

fn short(_: &Crit, _: &Firing) {
    count();
}

fn threaded(_: &mut MayBlock, _: &Firing) {
    count();
}

static SHORT: [Callout; TOGETHER as usize] = [const { Callout::short(short, ()) }; 64];
static THREADED: [Callout; TOGETHER as usize] = [const { Callout::threaded(threaded, ()) }; 64];

fn arm_and_fire(b: &mut Bencher<'_>, callouts: &'static [Callout]) {
    let mut cx = may_block();
    let (before, mut rounds) = (FIRED.load(Relaxed), 0);
    b.ops(TOGETHER);
    b.iter(|| {
        rounds += 1;
        cpu::critical(|crit| {
            for callout in callouts {
                // Due at once: the interrupt comes in this critical section, and its work is done at the end of it.
                let _ = callout.reset_here(crit, When::At(0));
            }
        });
        while FIRED.load(Relaxed) - before != rounds * TOGETHER {
            thread::yield_now(&mut cx);
        }
    });
    b.check(rounds > 2, "each fired once for each arming");
    for callout in callouts {
        b.check(callout.drain(&mut cx) == Ok(false), "none is armed any more");
    }
}

bench_api::bench! {
    name: "kernel/callout_fire",
    doc: "Of 64 short callouts armed for at once, one: armed, taken out of the heap, its handler called, finished.",
    lies: "They share one timer interrupt, and come out of the heap in the order in which they went in: a fresh interrupt for each would cost it.",
    shape: "a logarithm in callouts that are due together",
    run: |b| arm_and_fire(b, &SHORT),
}

bench_api::bench! {
    name: "kernel/callout_fire_threaded",
    doc: "As kernel/callout_fire, with handlers that run on the callout thread: into its queue and out are added, and a share of two switches.",
    lies: "As for kernel/callout_fire; one that fires alone pays the switches whole.",
    shape: "a logarithm in callouts that are due together",
    run: |b| arm_and_fire(b, &THREADED),
}
