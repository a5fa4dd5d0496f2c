//! What more CPUs make of a message: its cost where all of them send, beside its cost where two do.
//!
//! First one pair alone, the other CPUs at rest; then all at once. Who waits halts until its answer interrupts it, so what is
//! executed is work, and no turn of a wait. A sample is what all CPUs executed in a window of the first CPU's, divided by the
//! messages that were executed in it, and that by the same of one pair.

use crate::questions::{Asked, Pending, check_pending, executed};
use crate::steps::{Halting, here};
use bench_api::{Bencher, Curve, Peer, Unit};
use kernel_core::cpu;
use percpu::CpuId;

static HALTING: Halting = Halting::new();

/// Questions to another CPU, and the wait for the answers.
fn round(me: usize, to: CpuId, questions: u64) {
    let asked = Asked::by(me, to, questions);
    HALTING.until(|| asked.is_answered());
}

/// Rounds of a window: what others have begun and not ended at its edges is little beside them.
const ROUNDS: u64 = 256;
/// Thousandths of an instruction are told apart, and of the cost in pairs.
const SCALE: u64 = 1000;

/// Thousandths of an instruction by each message that is executed while the first CPU asks the second.
fn window(questions: u64) -> u64 {
    let (before, start) = (executed(), arch::time::tsc());
    (0..ROUNDS).for_each(|_| round(0, CpuId::at(1), questions));
    let ticks = arch::time::tsc() - start;
    ticks * SCALE / (executed() - before)
}

/// Compares all CPUs, of which each that has somebody to ask (`whom`) asks `questions` at a time, with the first pair.
fn compare(b: &mut Bencher<'_>, questions: u64, whom: fn(usize) -> Option<usize>) {
    let (cpus, second) = (b.cpus(), CpuId::at(1));
    b.check(here() == CpuId::BOOT, "benchmarks run on the first CPU");
    b.samples(20);
    let rest = |_: &Peer<'_>| HALTING.until(|| false);
    let two = HALTING.with(b, 1..2, rest, |_| {
        window(questions);
        window(questions)
    });
    let peer = |peer: &Peer<'_>| match whom(peer.cpu()) {
        Some(other) => {
            while !HALTING.is_over() {
                round(peer.cpu(), CpuId::at(other), questions);
            }
        }
        None => rest(peer),
    };
    HALTING.with(b, 1..cpus, peer, |b| {
        window(questions);
        let mut pending = 0;
        b.iter_count(|_| {
            let looks = Pending::begin(second, |cpu| whom(cpu.index()) == Some(second.index()));
            let all = window(questions);
            pending = pending.max(looks.most());
            all * SCALE / two
        });
        check_pending(b, pending);
    });
}

bench_api::bench! {
    name: "scale/pairs",
    doc: "All CPUs in pairs, one of each asks the other: what a message costs, in thousandths of what it costs in one pair alone.",
    goal: "S1",
    cpus: 2,
    curve: Curve::Cpus,
    unit: Unit::Count("per mille of a pair"),
    lies: "A count knows no caches: pairs that shared a line would look as well. With over 62 CPUs a pair alone is dearer once all sent to it; --full measures it first.",
    shape: "flat: 1000, as pairs share nothing",
    run: |b| compare(b, 1, |me| (me.is_multiple_of(2) && me + 1 < cpu::count()).then_some(me + 1)),
}

bench_api::bench! {
    name: "scale/to_one",
    doc: "All CPUs but one ask that one, eight questions at a time: what a message costs, in thousandths of what it costs with one sender.",
    goal: "S2",
    cpus: 2,
    curve: Curve::Cpus,
    unit: Unit::Count("per mille of a pair"),
    lies: "As for scale/pairs. Senders take turns in mode insns, so the word of the doorbell is never fought over.",
    shape: "falls a little: one interrupt, and one look, for all who send while it is pending",
    run: |b| compare(b, 8, |me| (me != 1).then_some(1)),
}
