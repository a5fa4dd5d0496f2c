//! CPUs that are taken away and given back while threads are placed on them.

use crate::crew::{self, Crew, Ended, Job, Stay};
use crate::dice::Dice;
use crate::registry::{Run, Verdict, check, ensure};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use kernel_core::faults::Fault;
use kernel_core::plant::Faults;
use kernel_core::{cpu, thread};
use lwkt_sched::{MayBlock, Name, Priority};
use percpu::CpuId;

check! {
    name: "kernel/parking",
    doc: "CPUs are taken away and given back in turn, while threads start others everywhere and move: none that is not bound runs on a CPU from its park to its release.",
    kind: Stress,
    run: parking,
}

struct Shared {
    /// CPUs whose park has returned, until just before they are given back.
    parked: Vec<AtomicBool>,
    each: u64,
    open: AtomicUsize,
    parks: AtomicU64,
    /// Threads that began astray, and moves that ended there.
    born: AtomicU64,
    moved: AtomicU64,
}

fn parking(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let cpus = cpu::count();
    let shared = Arc::new(Shared {
        parked: (0..cpus).map(|_| AtomicBool::new(false)).collect(),
        each: (run.slow_steps(8_000) / cpus as u64).max(16),
        open: AtomicUsize::new(2 * cpus),
        parks: AtomicU64::new(0),
        born: AtomicU64::new(0),
        moved: AtomicU64::new(0),
    });
    let job = Job {
        name: "parking",
        shared: Arc::new(shared.clone()),
        work,
        faults: Faults::None,
        stay: Stay::Free,
        meet: |_, _, _| (),
    };
    // Who parks a CPU gives it back, and it is one at a time.
    run.is_spared(Fault::ParkedCpu);
    let ended = crew::run(run, cx, &job, (0..=2 * cpus).map(|number| CpuId::at(number % cpus)));
    cpu::all().for_each(|cpu| cpu::unpark(cpu.id()));
    let of = |counter: &AtomicU64| counter.load(Relaxed);
    let (parks, born, moved) = (of(&shared.parks), of(&shared.born), of(&shared.moved));
    run.count("parks", parks);
    ensure!(
        born + moved == 0,
        "{born} threads began on a CPU after it had been parked, {moved} came there by themselves"
    );
    ensure!(ended == Ended::Done, "a thread did not come to its end ({ended:?}) in {parks} parks");
    ensure!(parks > 0 || cpus == 1, "no CPU was parked");
    let started = shared.each * cpus as u64;
    Ok(format!("{parks} times a CPU was parked; {started} threads started elsewhere meanwhile"))
}

/// Whether this thread is on a CPU that is parked.
fn astray(shared: &Shared) -> bool {
    cpu::critical(|_| shared.parked[cpu::here().id().index()].load(SeqCst))
}

fn work(cx: &mut MayBlock, crew: &Crew, shared: &Arc<Shared>, me: usize) {
    let cpus = cpu::count();
    let mut dice = Dice::new(me);
    if me == 2 * cpus {
        return park(cx, crew, shared, &mut dice);
    }
    for _ in 0..shared.each {
        let to = CpuId::at(dice.below(cpus));
        if me < cpus {
            let theirs = shared.clone();
            let child = thread::spawn_on(to, Name::new("child"), Priority::SERVER, move |_| {
                theirs.born.fetch_add(u64::from(astray(&theirs)), Relaxed);
            });
            if let Ok(child) = child {
                child.join(cx);
            }
        } else if thread::migrate(cx, to).is_ok() && astray(shared) {
            shared.moved.fetch_add(1, Relaxed);
        }
        crew.step();
        crew::relax(cx);
    }
    shared.open.fetch_sub(1, SeqCst);
}

fn park(cx: &mut MayBlock, crew: &Crew, shared: &Shared, dice: &mut Dice) {
    while shared.open.load(SeqCst) > 0 && !crew.is_stopped() {
        let cpu = dice.below(cpu::count());
        if cpu::park(cx, CpuId::at(cpu)).is_ok() {
            shared.parks.fetch_add(1, Relaxed);
            shared.parked[cpu].store(true, SeqCst);
            thread::sleep(cx, 5_000);
            shared.parked[cpu].store(false, SeqCst);
            cpu::unpark(CpuId::at(cpu));
        }
        crew::relax(cx);
    }
}
