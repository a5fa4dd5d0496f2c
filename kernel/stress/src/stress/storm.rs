//! Messages from every CPU to every CPU, in bursts longer than a ring.

use crate::crew::{self, Crew, Ended, Job, Stay};
use crate::dice::Dice;
use crate::registry::{Run, Verdict, check};
use crate::team::{Team, add};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use ipiq::{Call, Full};
use kernel_core::plant::Faults;
use kernel_core::{cpu, ipi, order, thread};
use lwkt_sched::{MayBlock, Reason, Why};
use percpu::{CpuId, Crit};

check! {
    name: "kernel/storm",
    doc: "All CPUs send to all, rings full: each message exactly once, in order for each pair.",
    kind: Stress,
    run: storm,
}

/// Messages of a full run, over all pairs.
const MESSAGES: u64 = 4_000_000;
/// Messages in a row to one CPU: half as many again as a ring holds.
const BURST: u64 = 48;

/// What has arrived from one CPU at another; the target's alone.
#[derive(Default)]
struct Pair {
    /// The number that comes next; the first is 1.
    next: AtomicU64,
    /// Numbers that were left out, and have not come later; 0 for none.
    gaps: [AtomicU64; 8],
    skipped: AtomicU64,
    late: AtomicU64,
    doubled: AtomicU64,
}

/// One CPU's part.
struct Part {
    received: AtomicU64,
    /// With how many its thread goes on.
    goal: AtomicU64,
    pairs: Vec<Pair>,
}

struct Storm {
    team: Team<Part>,
    rounds: u64,
}

fn storm(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let cpus = cpu::count();
    let pair = || Pair { next: AtomicU64::new(1), ..Pair::default() };
    let part = || Part {
        received: AtomicU64::new(0),
        goal: AtomicU64::new(0),
        pairs: (0..cpus).map(|_| pair()).collect(),
    };
    let rounds = (run.slow_steps(MESSAGES) / (BURST * (cpus * cpus) as u64)).max(1);
    let shared = Arc::new(Storm { team: Team::new(cpus, part), rounds });
    let before = Traffic::now();
    let job = Job {
        name: "storm",
        shared: shared.clone(),
        work: send_all,
        faults: Faults::All,
        stay: Stay::Bound,
        meet: |s, n, t| s.team.enter(n, t),
    };
    let ended = crew::run(run, cx, &job, crew::everywhere());
    let traffic = Traffic::now().since(&before);
    let messages = rounds * BURST * (cpus * cpus) as u64;
    run.count("messages", messages);
    run.count("ring_full", traffic.full);
    run.count("ipi_sent", traffic.rung);
    run.count("ipi_avoided", traffic.avoided);
    let verdict = shared.verdict(ended);
    if ended != Ended::Done {
        // A message may be on its way still, with the address in it.
        core::mem::forget(shared);
    }
    verdict?;
    Ok(format!("{messages} messages, each once, in order; {} met a full ring", traffic.full))
}

/// One CPU's thread: in each round a burst to every CPU, then waits until as many have come.
fn send_all(cx: &mut MayBlock, crew: &Crew, storm: &Storm, me: usize) {
    let cpus = storm.team.len();
    let part = storm.team.part(me);
    let word = core::ptr::from_ref(storm).expose_provenance();
    let mut dice = Dice::new(me);
    for round in 0..storm.rounds {
        part.goal.store((round + 1) * BURST * cpus as u64, Relaxed);
        let first = dice.below(cpus);
        for target in (0..cpus).map(|step| (first + step) % cpus) {
            let numbers = round * BURST + 1..=(round + 1) * BURST;
            let calls = numbers.map(|number| Call::new(deliver, [me, number as usize, word]));
            if me == 0 && target != 0 {
                calls.for_each(|call| send_patiently(cx, crew, CpuId::at(target), call));
            } else {
                cpu::critical(|crit| {
                    calls.for_each(|call| ipi::fabric().send(crit, CpuId::at(target), call))
                });
            }
            crew.step();
        }
        thread::yield_now(cx);
        thread::wait_until(cx, Why::on(Reason::Event, part), |_| {
            part.received.load(Relaxed) >= part.goal.load(Relaxed) || crew.is_stopped()
        });
        if crew.is_stopped() {
            return;
        }
    }
}

/// Sends when there is room. CPU 0 does not wait for room as the others do, in a critical section: the thread that
/// watches the test is there, and must see it when there never is any.
fn send_patiently(cx: &mut MayBlock, crew: &Crew, to: CpuId, call: Call) {
    let mut call = call;
    while let Err(Full(back)) = cpu::critical(|crit| ipi::fabric().send_nowait(crit, to, call)) {
        if crew.is_stopped() {
            return;
        }
        call = back;
        crew::relax(cx);
    }
}

/// A message arrives.
fn deliver(crit: &Crit, from: usize, number: usize, word: usize) {
    // SAFETY: `send_all` made the word from what its crew shares, which outlives every message (`storm`).
    let storm = unsafe { &*core::ptr::with_exposed_provenance::<Storm>(word) };
    let me = cpu::here().id().index();
    let part = storm.team.part(me);
    part.pairs[from].arrives(number as u64);
    order::note(from << 8 | me, number);
    let received = part.received.load(Relaxed) + 1;
    part.received.store(received, Relaxed);
    if received >= part.goal.load(Relaxed) {
        storm.team.wake(crit, me);
    }
}

impl Pair {
    #[inline]
    fn arrives(&self, number: u64) {
        let next = self.next.load(Relaxed);
        if number == next {
            self.next.store(next + 1, Relaxed);
        } else {
            self.arrives_oddly(number, next);
        }
    }

    #[cold]
    fn arrives_oddly(&self, number: u64, next: u64) {
        let gap = |wanted| self.gaps.iter().find(|gap| gap.load(Relaxed) == wanted);
        if number > next {
            for skipped in next..number {
                add(&self.skipped, 1);
                if let Some(free) = gap(0) {
                    free.store(skipped, Relaxed);
                }
            }
            self.next.store(number + 1, Relaxed);
        } else if let Some(gap) = gap(number) {
            gap.store(0, Relaxed);
            add(&self.late, 1);
        } else {
            add(&self.doubled, 1);
        }
    }
}

impl Storm {
    fn verdict(&self, ended: Ended) -> Result<(), String> {
        let sum =
            |of: fn(&Pair) -> u64| self.team.parts().flat_map(|p| &p.pairs).map(of).sum::<u64>();
        let last = self.rounds * BURST;
        let (late, doubled) = (sum(|p| p.late.load(Relaxed)), sum(|p| p.doubled.load(Relaxed)));
        let lost = sum(|p| p.skipped.load(Relaxed)) - late;
        let odd = |p: &Pair| p.skipped.load(Relaxed) + p.doubled.load(Relaxed) > 0;
        if late + doubled + lost > 0 {
            let (from, to) = self.find(odd).unwrap_or_default();
            return Err(format!(
                "{lost} messages lost, {doubled} doubled, {late} out of order; first pair CPU {from} to CPU {to}"
            ));
        }
        if ended == Ended::Done {
            return Ok(());
        }
        ended.nobody_deaf("messages")?;
        match self.find(|p| p.next.load(Relaxed) <= last) {
            Some((from, to)) => {
                let next = self.team.part(to).pairs[from].next.load(Relaxed);
                Err(format!("message {next} from CPU {from} to CPU {to} was lost: everybody waits"))
            }
            None => Err("a thread that had all its messages was not woken".into()),
        }
    }

    /// Source and target of the first pair that `f` is true of.
    fn find(&self, f: impl Fn(&Pair) -> bool) -> Option<(usize, usize)> {
        self.team
            .parts()
            .enumerate()
            .find_map(|(to, part)| Some((part.pairs.iter().position(&f)?, to)))
    }
}

/// What the fabric counts, over all CPUs.
struct Traffic {
    full: u64,
    rung: u64,
    avoided: u64,
}

impl Traffic {
    fn now() -> Self {
        let sum = |of: fn(&ipiq::Counters) -> u64| {
            cpu::all().map(|cpu| of(ipi::fabric().counters(cpu.id()))).sum()
        };
        Self {
            full: sum(|c| c.full.get()),
            rung: sum(|c| c.rung.get()),
            avoided: sum(|c| c.avoided.get()),
        }
    }

    fn since(&self, before: &Self) -> Self {
        Self {
            full: self.full - before.full,
            rung: self.rung - before.rung,
            avoided: self.avoided - before.avoided,
        }
    }
}
