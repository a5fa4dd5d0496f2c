//! Messages after a thread that does nothing but move.

use crate::registry::{Run, Verdict, check, ensure};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use kernel_core::{chaos, cpu, thread};
use lwkt_sched::{Change, MayBlock, Name, Priority};
use percpu::CpuId;

check! {
    name: "kernel/chase",
    doc: "A thread moves in a tight loop while all CPUs wake it and ask for it: each request reaches it.",
    kind: Test,
    run: chase,
}

/// Requests of each CPU.
const REQUESTS: usize = 200;

fn chase(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let over = Arc::new(AtomicBool::new(false));
    let reached = Arc::new(AtomicUsize::new(0));
    let sign = over.clone();
    let nomad = thread::spawn_on(CpuId::BOOT, Name::new("nomad"), Priority::SERVER, move |cx| {
        let mut at = 0;
        while !sign.load(Ordering::Acquire) {
            at = (at + 1) % cpu::count();
            let went = thread::migrate(cx, CpuId::at(at));
            assert!(went.is_ok(), "nothing binds it: {went:?}");
            thread::yield_now(cx);
        }
    })
    .map_err(|_| String::from("no memory"))?;
    let forwards = || cpu::all().map(|cpu| cpu.counters.chases.get()).sum::<u64>();
    let before = forwards();
    chaos::set_seed(run.turns());
    let mut hunters = Vec::new();
    for cpu in cpu::all() {
        let (reached, target) = (reached.clone(), nomad.thread());
        let hunter = move |cx: &mut MayBlock| {
            for _ in 0..REQUESTS {
                cpu::critical(|crit| thread::wake(crit, target));
                // An answer from wherever it is.
                if thread::schedule(target) == Change::Done {
                    reached.fetch_add(1, Ordering::AcqRel);
                }
                thread::yield_now(cx);
            }
        };
        let hunter = thread::spawn_on(cpu.id(), Name::new("hunter"), Priority::SERVER, hunter);
        hunters.push(hunter.map_err(|_| String::from("no memory"))?);
    }
    hunters.into_iter().for_each(|hunter| hunter.join(cx));
    chaos::set_seed(0);
    over.store(true, Ordering::Release);
    nomad.join(cx);
    let (reached, wanted) = (reached.load(Ordering::Acquire), REQUESTS * cpu::count());
    ensure!(reached == wanted, "{reached} of {wanted} requests reached it");
    let forwards = forwards() - before;
    ensure!(cpu::count() < 3 || forwards > 0, "nothing was forwarded: it did not move");
    Ok(format!("{forwards} forwards"))
}
