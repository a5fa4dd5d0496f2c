//! What it costs a thread to go to another CPU and come back, all CPUs together.

use crate::environment::may_block;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use kernel_core::cpu::critical;
use kernel_core::thread;
use lwkt_sched::{MayBlock, Name, Priority, Reason, ThreadRef, Why};
use percpu::CpuId;

/// Rounds that the thread was asked for; rounds that it has gone; ticks of the last; whether that was enough.
static ASKED: AtomicU64 = AtomicU64::new(0);
static GONE: AtomicU64 = AtomicU64::new(0);
static TICKS: AtomicU64 = AtomicU64::new(0);
static OVER: AtomicBool = AtomicBool::new(false);

/// Nanoseconds after which who asked has come to rest.
const REST: u64 = 20_000;

/// Goes to and fro as often as it is asked. The counter is one for all CPUs in mode insns; it is read on one CPU.
fn roam(cx: &mut MayBlock, there: CpuId, leader: ThreadRef) {
    let home = CpuId::at(arch::cpu_id() as usize);
    loop {
        let asked = || GONE.load(Relaxed) != ASKED.load(Relaxed) || OVER.load(Relaxed);
        thread::wait_until(cx, Why::on(Reason::Event, &ASKED), |_| asked());
        if OVER.load(Relaxed) {
            return;
        }
        thread::sleep(cx, REST);
        let start = arch::time::tsc();
        let went = thread::migrate(cx, there).is_ok() && thread::migrate(cx, home).is_ok();
        let ticks = arch::time::tsc() - start;
        assert!(went, "nothing binds a thread of a benchmark");
        TICKS.store(ticks, Relaxed);
        // Relaxed: the wake orders it.
        GONE.store(GONE.load(Relaxed) + 1, Relaxed);
        critical(|crit| thread::wake(crit, leader));
    }
}

bench_api::bench! {
    name: "kernel/migrate",
    doc: "A thread goes from its CPU to a halted one and back: four switches, two messages, the work of both CPUs.",
    cpus: 3,
    lies: "A CPU that had other work would not halt: no interrupt, no way out of idle. Counts work, says nothing of latency.",
    shape: "flat in CPUs and in blocked threads",
    run: |b| {
        let (mut cx, leader) = (may_block(), thread::current());
        GONE.store(ASKED.load(Relaxed), Relaxed);
        OVER.store(false, Relaxed);
        let nomad = thread::spawn_on(CpuId::at(1), Name::new("nomad"), Priority::SERVER, move |cx| {
            roam(cx, CpuId::at(2), leader);
        });
        let nomad = nomad.expect("memory for a benchmark's thread");
        let before = GONE.load(Relaxed);
        b.iter_ticks(|_| {
            let asked = ASKED.load(Relaxed) + 1;
            ASKED.store(asked, Relaxed);
            critical(|crit| thread::wake(crit, nomad.thread()));
            thread::wait_until(&mut cx, Why::on(Reason::Event, &GONE), |_| GONE.load(Relaxed) == asked);
            TICKS.load(Relaxed)
        });
        OVER.store(true, Relaxed);
        critical(|crit| thread::wake(crit, nomad.thread()));
        nomad.join(&mut cx);
        b.check(GONE.load(Relaxed) - before > 2, "the thread went there and back each time");
    },
}
