//! What a null message costs more when all CPUs send one at once.

use crate::environment::may_block;
use crate::steps::{Ask, Successor, here};
use bench_api::{Curve, Peer, Unit};
use core::hint::black_box;
use core::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use lwkt_port::{Message, Port, SyncPort};
use lwkt_sched::MayBlock;
use percpu::{Block, CpuId, MAX_CPUS, PerCpu};

/// One port for all.
static PORT: SyncPort<Successor> = SyncPort::new(Successor);

/// What the last message of each CPU took; 0 before its first.
static LAST: PerCpu<AtomicU64, MAX_CPUS> =
    PerCpu::new([const { Block::new(AtomicU64::new(0)) }; MAX_CPUS]);

/// The clock's difference over one message: on each CPU the same instructions.
#[inline(never)]
fn once(cx: &mut MayBlock, message: &mut Message<Ask>) -> u64 {
    let start = arch::time::tsc();
    let answer = PORT.do_(cx, black_box(message));
    let ticks = arch::time::tsc() - start;
    assert!(answer == Ok(7), "the handler answers");
    ticks
}

/// Sends messages, one in each turn of this CPU.
fn send(peer: &Peer<'_>) {
    let (mut cx, mut message) = (may_block(), Ask::after(6));
    let last = LAST.on(CpuId::at(peer.cpu()));
    while !peer.stopped() {
        // Pairs with: the sample, acquire.
        last.store(once(&mut cx, &mut message), Release);
        arch::irq::pause();
    }
}

/// Thousandths of the cost on one CPU.
const SCALE: u64 = 1000;

bench_api::bench! {
    name: "scale/null_message",
    doc: "A null message, `do` to one sync port, by all CPUs at once: the dearest of one on each, in thousandths of one with the others at rest.",
    goal: "S5",
    curve: Curve::Cpus,
    unit: Unit::Count("per mille of one CPU"),
    lies: "Two looks at the clock are in both. Where the emulator's slice ends, all others' turns are in the sample. Counts see a lock that is fought over, no shared line.",
    shape: "flat: 1000, as nothing is shared",
    run: |b| {
        b.check(here() == CpuId::BOOT, "benchmarks run on the first CPU");
        let (mut cx, mut message, cpus) = (may_block(), Ask::after(6), b.cpus());
        once(&mut cx, &mut message);
        let alone = once(&mut cx, &mut message);
        let others = || (1..cpus).map(|cpu| LAST.on(CpuId::at(cpu)));
        // Relaxed: the barrier orders it.
        others().for_each(|last| last.store(0, Relaxed));
        b.on_each(1..cpus, send, |b| {
            // Pairs with: `send`, release.
            while others().any(|last| last.load(Acquire) == 0) {
                arch::irq::pause();
            }
            b.iter_count(|_| {
                let mine = once(&mut cx, &mut message);
                // The others send theirs.
                arch::irq::pause();
                others().map(|last| last.load(Acquire)).fold(mine, u64::max) * SCALE / alone
            });
        });
    },
}
