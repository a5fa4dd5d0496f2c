//! What waiting on a wait queue and waking from it costs, on one CPU and across.

use crate::environment::may_block;
use crate::steps::{here, other, partner};
use alloc::sync::Arc;
use bench_api::{Bencher, Counter};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use kernel_core::cpu::critical;
use kernel_core::wait_queue::WaitQueue;
use percpu::CpuId;

/// Where the leader waits, and where the follower.
static LEADER: WaitQueue = WaitQueue::new();
static FOLLOWER: WaitQueue = WaitQueue::new();

/// Ends the follower; odd.
const OVER: u64 = u64::MAX;

/// Measures a wake of a thread of `cpu` that waits on a queue, and the wake back.
fn wake_and_back(b: &mut Bencher<'_>, cpu: CpuId) {
    let mut cx = may_block();
    // Even when it is the leader's turn. Relaxed, all of it: the queues order what is waited for.
    let turn = Arc::new(AtomicU64::new(0));
    let follower = partner(cpu, {
        let turn = turn.clone();
        move |cx| loop {
            FOLLOWER.wait_until(cx, |_| turn.load(Relaxed) % 2 == 1);
            if turn.load(Relaxed) == OVER {
                return;
            }
            turn.store(turn.load(Relaxed) + 1, Relaxed);
            critical(|crit| LEADER.wake_one(crit));
        }
    });
    let before = b.open_window();
    b.iter(|| {
        turn.store(turn.load(Relaxed) + 1, Relaxed);
        critical(|crit| FOLLOWER.wake_one(crit));
        LEADER.wait_until(&mut cx, |_| turn.load(Relaxed).is_multiple_of(2));
    });
    let rounds = turn.load(Relaxed) / 2;
    let counted = b.close_window(&before);
    b.check(rounds > 2, "the other thread answered each wake");
    // Where CPUs run at the same time, a wake may be quicker than the wait, which it spares.
    let may_spare = b.mode() != bench_api::Mode::Insns && cpu != here();
    b.check(may_spare || counted.get(Counter::Waits) >= 2 * rounds, "each wake ended a wait");
    turn.store(OVER, Relaxed);
    critical(|crit| FOLLOWER.wake_one(crit));
    follower.join(&mut cx);
}

bench_api::bench! {
    name: "kernel/wait_queue",
    doc: "A thread wakes one that waits on a queue of its CPU and waits on another queue, and is woken in the same way: two of each.",
    lies: "The CPU is in both queues' sets: the first wait of a CPU, and the first after a message for nobody, takes a locked instruction.",
    shape: "flat in CPUs and in waiting threads",
    run: |b| {
        b.ops(2);
        wake_and_back(b, here());
    },
}

bench_api::bench! {
    name: "kernel/wait_queue_cross",
    doc: "As kernel/wait_queue, with the thread on another, halted CPU: there and back, a message each way, work of both CPUs.",
    cpus: 2,
    lies: "A CPU that had other work would not halt: no interrupt, no way out of idle. Counts work, says nothing of latency.",
    shape: "flat in CPUs and in waiting threads",
    run: |b| wake_and_back(b, other()),
}
