//! Everything that CPUs can say to each other, at once: storms on full rings whose calls answer, passive sends, masks, quick syncs,
//! and sets of CPUs that are parked and let go, by all CPUs to all.

use crate::crew::{self, Crew, Ended, Job, Stay};
use crate::dice::Dice;
use crate::registry::{Run, Verdict, check, ensure};
use crate::team::{Team, add};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use ipiq::{Call, CallFn, Full};
use kernel_core::plant::Faults;
use kernel_core::{cpu, ipi, order, thread};
use lwkt_sched::{MayBlock, Reason, Why};
use percpu::{CpuId, CpuSet, Crit};

check! {
    name: "kernel/cpusync",
    doc: "Sets of CPUs are parked while all CPUs storm each other: each call, answer and order once, and who is parked does nothing else.",
    kind: Stress,
    run: cpusync,
}

/// Rounds of a full run, over all CPUs.
const ROUNDS: u64 = 12_000;
/// Questions in a row to one CPU: half as many again as a ring holds.
const BURST: usize = 48;
/// Orders to one parked set, at most.
const ORDERS: usize = 4;

/// What came from one CPU to another; the target's alone.
#[derive(Default)]
struct Stream {
    /// The last number that came.
    last: AtomicU64,
    doubled: AtomicU64,
    lost: AtomicU64,
}

/// One CPU's part. Its thread writes what it did, its calls what they got.
struct Part {
    /// Steps of its thread outside of sets that it parked: stands still while it is parked.
    moved: AtomicU64,
    /// Questions to each CPU.
    asked: Vec<AtomicU64>,
    questions: Vec<Stream>,
    answers: Vec<Stream>,
    /// Answers that came.
    answered: AtomicU64,
    /// Answers for which its thread waits.
    goal: AtomicU64,
    /// Calls of masks that it sent, times their targets; and those that came.
    masks_sent: AtomicU64,
    masks_came: AtomicU64,
    /// Syncs and orders that it gave, times the CPUs that were to execute them.
    given: AtomicU64,
    /// Times that a CPU did something while it was parked.
    strayed: AtomicU64,
    parked: AtomicU64,
}

struct Syncs {
    team: Team<Part>,
    rounds: u64,
    /// Syncs and orders that were executed, on all CPUs.
    executed: AtomicU64,
}

fn cpusync(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let cpus = cpu::count();
    let streams = || (0..cpus).map(|_| Stream::default()).collect();
    let part = || Part {
        moved: AtomicU64::new(0),
        asked: (0..cpus).map(|_| AtomicU64::new(0)).collect(),
        questions: streams(),
        answers: streams(),
        answered: AtomicU64::new(0),
        goal: AtomicU64::new(u64::MAX),
        masks_sent: AtomicU64::new(0),
        masks_came: AtomicU64::new(0),
        given: AtomicU64::new(0),
        strayed: AtomicU64::new(0),
        parked: AtomicU64::new(0),
    };
    // A round costs about as many calls as there are CPUs.
    let rounds = (run.slow_steps(ROUNDS) / (cpus * cpus.max(4)) as u64).max(4);
    let shared =
        Arc::new(Syncs { team: Team::new(cpus, part), rounds, executed: AtomicU64::new(0) });
    let job = Job {
        name: "cpusync",
        shared: shared.clone(),
        work,
        faults: Faults::Repeats,
        stay: Stay::Bound,
        meet: |s, n, t| s.team.enter(n, t),
    };
    let ended = crew::run(run, cx, &job, crew::everywhere());
    let of = |count: fn(&Part) -> &AtomicU64| -> u64 {
        shared.team.parts().map(|part| count(part).load(Relaxed)).sum()
    };
    let (questions, sets) = (of(|p| &p.answered), of(|p| &p.parked));
    run.count("questions", questions);
    run.count("masks", of(|p| &p.masks_came));
    run.count("parked_sets", sets);
    run.count("orders", shared.executed.load(Relaxed));
    let verdict = shared.verdict(ended);
    if ended != Ended::Done {
        // A message may be on its way still, with the address in it.
        core::mem::forget(shared);
    }
    verdict?;
    Ok(format!("{questions} questions answered once, in order, while {sets} sets were parked"))
}

fn work(cx: &mut MayBlock, crew: &Crew, syncs: &Syncs, me: usize) {
    let part = syncs.team.part(me);
    let mut dice = Dice::new(me);
    for _ in 0..syncs.rounds {
        match dice.below(6) {
            0 => ask(syncs, me, dice.below(syncs.team.len()), BURST, |crit, to, call| {
                ipi::fabric().send(crit, to, call)
            }),
            1 => {
                let (to, count) = (dice.below(syncs.team.len()), dice.below(BURST));
                ask(syncs, me, to, count, |crit, to, call| {
                    ipi::fabric().send_passive(crit, to, call)
                });
            }
            2 => ask(syncs, me, dice.below(syncs.team.len()), 8, |crit, to, call| {
                if let Err(Full(call)) = ipi::fabric().send_nowait(crit, to, call) {
                    ipi::fabric().send(crit, to, call);
                }
            }),
            3 => {
                let set = some(&mut dice, syncs.team.len());
                add(&part.masks_sent, set.count() as u64);
                cpu::critical(|crit| ipi::send_mask(crit, &set, came, [word(syncs), 0, 0]));
            }
            4 => {
                let set = some(&mut dice, syncs.team.len());
                add(&part.given, set.count() as u64);
                ipi::sync(&set, |_, word| executed(of(word)), word(syncs));
            }
            _ => park(syncs, me, &mut dice),
        }
        add(&part.moved, 1);
        crew.step();
        thread::yield_now(cx);
    }
    // What was sent passively may wait for ever at a CPU that has halted.
    ipi::synchronize(&CpuSet::first_n(syncs.team.len()));
    let asked = part.asked.iter().map(|asked| asked.load(Relaxed)).sum();
    cpu::critical(|_| part.goal.store(asked, Relaxed));
    thread::wait_until(cx, Why::on(Reason::Event, part), |_| {
        part.answered.load(Relaxed) >= asked || crew.is_stopped()
    });
}

/// Parks some CPUs, has them execute a few orders, and sees that they do nothing else.
fn park(syncs: &Syncs, me: usize, dice: &mut Dice) {
    let (set, orders) = (some(dice, syncs.team.len()), dice.below(ORDERS + 1));
    let part = syncs.team.part(me);
    add(&part.given, (set.count() * orders) as u64);
    let moved = || -> u64 {
        let others = set.iter().map(CpuId::index).filter(|cpu| *cpu != me);
        others.map(|cpu| syncs.team.part(cpu).moved.load(Relaxed)).sum()
    };
    let (before, after) = ipi::park(&set, |_, parked| {
        let before = moved();
        (0..orders).for_each(|_| parked.run_on_all(|_| executed(syncs)));
        (before, moved())
    });
    add(&part.parked, 1);
    add(&part.strayed, after - before);
}

/// Asks a CPU so many things in a row.
fn ask(syncs: &Syncs, me: usize, to: usize, count: usize, send: impl Fn(&Crit, CpuId, Call)) {
    let part = syncs.team.part(me);
    for _ in 0..count {
        let number = part.asked[to].load(Relaxed) + 1;
        part.asked[to].store(number, Relaxed);
        let call = Call::new(question, [me, number as usize, word(syncs)]);
        cpu::critical(|crit| send(crit, CpuId::at(to), call));
        add(&part.moved, 1);
    }
}

/// Any set of CPUs, the empty one included.
fn some(dice: &mut Dice, cpus: usize) -> CpuSet {
    (0..cpus).filter(|_| dice.below(2) == 0).map(CpuId::at).collect()
}

fn word(syncs: &Syncs) -> usize {
    core::ptr::from_ref(syncs).expose_provenance()
}

fn of<'a>(word: usize) -> &'a Syncs {
    // SAFETY: `work` made the word from what its crew shares, which outlives every message (`cpusync`).
    unsafe { &*core::ptr::with_exposed_provenance(word) }
}

fn executed(syncs: &Syncs) {
    syncs.executed.fetch_add(1, Relaxed);
}

/// A question comes: answered at once, from inside the call.
fn question(crit: &Crit, from: usize, number: usize, word: usize) {
    let me = cpu::here().id().index();
    of(word).team.part(me).questions[from].comes(number as u64);
    order::note(from << 8 | me, number);
    ipi::send(crit, CpuId::at(from), answer as CallFn, [me, number, word]);
}

fn answer(crit: &Crit, from: usize, number: usize, word: usize) {
    let (syncs, me) = (of(word), cpu::here().id().index());
    let part = syncs.team.part(me);
    part.answers[from].comes(number as u64);
    add(&part.answered, 1);
    if part.answered.load(Relaxed) >= part.goal.load(Relaxed) {
        syncs.team.wake(crit, me);
    }
}

/// A mask's call comes.
fn came(_: &Crit, word: usize, _: usize, _: usize) {
    add(&of(word).team.part(cpu::here().id().index()).masks_came, 1);
}

impl Stream {
    fn comes(&self, number: u64) {
        let last = self.last.load(Relaxed);
        if number <= last {
            add(&self.doubled, 1);
        } else {
            add(&self.lost, number - last - 1);
            self.last.store(number, Relaxed);
        }
    }
}

impl Syncs {
    fn verdict(&self, ended: Ended) -> Result<(), String> {
        let parts = || self.team.parts();
        let streams = || parts().flat_map(|part| part.questions.iter().chain(&part.answers));
        let doubled: u64 = streams().map(|stream| stream.doubled.load(Relaxed)).sum();
        let lost: u64 = streams().map(|stream| stream.lost.load(Relaxed)).sum();
        ensure!(lost + doubled == 0, "{lost} questions or answers lost, {doubled} doubled or late");
        let strayed: u64 = parts().map(|part| part.strayed.load(Relaxed)).sum();
        ensure!(strayed == 0, "CPUs did {strayed} steps of their own while they were parked");
        ended.nobody_deaf("messages")?;
        ensure!(ended == Ended::Done, "not all questions were answered: somebody waits");
        let sum = |of: fn(&Part) -> &AtomicU64| -> u64 {
            parts().map(|part| of(part).load(Relaxed)).sum()
        };
        let (sent, came) = (sum(|p| &p.masks_sent), sum(|p| &p.masks_came));
        ensure!(sent == came, "{came} calls of masks came of {sent}");
        let (given, executed) = (sum(|p| &p.given), self.executed.load(Relaxed));
        ensure!(given == executed, "{executed} syncs and orders were executed of {given}");
        Ok(())
    }
}
