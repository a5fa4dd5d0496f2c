//! Ports that are closed for good by owners who then move, while others send to them.

use crate::crew::{self, Crew, Ended, Job, Stay};
use crate::dice::Dice;
use crate::registry::{Run, Verdict, check, ensure};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use kernel_core::exec::Threads;
use kernel_core::plant::Faults;
use kernel_core::{cpu, thread};
use lwkt_port::{Body, Error, Message, Port, ThreadPort};
use lwkt_sched::MayBlock;
use percpu::CpuId;

check! {
    name: "kernel/closing",
    doc: "A thread of each CPU receives at one port after the other, closes it and moves on, while others send to all ports: each question comes back once, unanswered.",
    kind: Stress,
    run: closing,
}

struct Question;

impl Body for Question {
    type Reply = u64;
    type Exec = Threads;
}

/// Nobody receives twice at one of them: what is left there comes to nobody.
static PORTS: [ThreadPort<Question>; 2048] = [const { ThreadPort::new() }; 2048];

struct Shared {
    /// How many ports there are in this run.
    ports: usize,
    /// The port of each owner.
    now: Vec<AtomicUsize>,
    /// Owners that have not come to their last port.
    open: AtomicUsize,
    closed: AtomicU64,
    /// Answers of another sort.
    wrong: AtomicU64,
}

fn closing(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let cpus = cpu::count();
    let shared = Arc::new(Shared {
        ports: (run.slow_steps(2_000) as usize).clamp(cpus, PORTS.len()),
        now: (0..cpus).map(AtomicUsize::new).collect(),
        open: AtomicUsize::new(cpus),
        closed: AtomicU64::new(0),
        wrong: AtomicU64::new(0),
    });
    let job = Job {
        name: "closing",
        shared: shared.clone(),
        work,
        faults: Faults::None,
        stay: Stay::Free,
        meet: |_, _, _| (),
    };
    let ended = crew::run(run, cx, &job, (0..2 * cpus).map(|number| CpuId::at(number % cpus)));
    let (closed, wrong) = (shared.closed.load(Relaxed), shared.wrong.load(Relaxed));
    run.count("came back", closed);
    ensure!(wrong == 0, "{wrong} questions were answered otherwise than by a port that is closed");
    ensure!(ended == Ended::Done, "a question never came back ({ended:?}): {closed} did");
    ensure!(closed > 0, "nothing was sent");
    Ok(format!(
        "{} ports were closed by who then moved; {closed} questions came back",
        shared.ports
    ))
}

fn work(cx: &mut MayBlock, crew: &Crew, shared: &Shared, me: usize) {
    let cpus = cpu::count();
    let mut dice = Dice::new(me);
    if me < cpus {
        for at in (me..shared.ports).step_by(cpus) {
            let Some(server) = PORTS[at].claim(cx) else {
                shared.wrong.fetch_add(1, Relaxed);
                break;
            };
            shared.now[me].store(at, Relaxed);
            for _ in 0..dice.below(3) {
                crew::relax(cx);
            }
            drop(server);
            // Refused where that CPU is this one, or was taken away: it closes the next port here.
            let _ = thread::migrate(cx, CpuId::at(dice.below(cpus)));
            crew.step();
        }
        shared.open.fetch_sub(1, Relaxed);
        return;
    }
    while shared.open.load(Relaxed) > 0 && !crew.is_stopped() {
        let to = &PORTS[shared.now[dice.below(cpus)].load(Relaxed)];
        let counter = match to.do_(cx, &mut Message::new(Question)) {
            Err(Error::Closed) => &shared.closed,
            _ => &shared.wrong,
        };
        counter.fetch_add(1, Relaxed);
        if dice.below(3) == 0 {
            crew::relax(cx);
        }
    }
}
