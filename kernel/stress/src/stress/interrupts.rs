//! Interrupts at seeded instants, whose threads borrow the CPU from threads that compute.

use crate::crew::{self, Crew, Ended, Job, Stay};
use crate::dice::Dice;
use crate::registry::{Run, Verdict, check, ensure};
use crate::team::{Team, add};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use crossbeam_utils::CachePadded;
use kernel_core::interrupt::{self, Counted, Line, Registered};
use kernel_core::plant::Faults;
use kernel_core::{chaos, cpu, order, thread};
use lwkt_sched::{MayBlock, Name, Priority, Rates, Reason, Refusal, Why};
use percpu::CpuId;

check! {
    name: "kernel/interrupts",
    doc: "Interrupts' threads borrow the CPU at seeded instants: victims keep all their state, each raise is handled once.",
    kind: Stress,
    run: interrupts,
}

/// Victims on each CPU.
const EACH: usize = 3;
/// Rounds of a full run, over all victims.
const ROUNDS: u64 = 40_000;
/// Words of memory that a victim works on.
const WORDS: usize = 16;
/// Different sums: what each comes to is known before the first interrupt.
const SUMS: usize = 8;

/// The lines: one that is raised at seeded instants, whose thread does all that a thread may; one that is raised by messages
/// and by other lines' threads; one that interrupts as devices do.
const LINES: usize = 3;
const SEEDED: usize = 0;
const SENT: usize = 1;
const DEVICE: usize = 2;

/// One CPU's part. Raises are counted by who raises, the rest by the CPU.
#[derive(Default)]
struct Part {
    /// Who runs here: victims alone write it, and find it as they left it until they give way.
    runs: AtomicU64,
    sent: AtomicU64,
    triggered: AtomicU64,
    handled: [AtomicU64; LINES],
}

struct Interrupts {
    team: Team<AtomicU64>,
    /// A thread of each CPU that is better than the victims, and how often it was woken: it runs when they give way.
    betters: Team<AtomicU64>,
    over: AtomicU64,
    parts: Vec<CachePadded<Part>>,
    lines: [AtomicUsize; LINES],
    sums: [u64; SUMS],
    rounds: u64,
    /// One more than the first victim that found something wrong, and what.
    wrong: AtomicU64,
    how: AtomicU64,
}

/// Works on registers and memory; everything depends on all that came before.
#[inline(never)]
fn sum(number: usize) -> u64 {
    let mut memory = [number as u64; WORDS];
    let mut all = [chaos::mix(number as u64); 12];
    for step in 0..40 {
        for at in 0..all.len() {
            let word = &mut memory[(step + at) % WORDS];
            all[at] = all[at].rotate_left(7) ^ all[(at + 5) % all.len()].wrapping_add(*word);
            *word = word.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ all[at];
        }
    }
    memory.iter().chain(&all).fold(0, |sum, word| chaos::mix(sum ^ word))
}

impl Interrupts {
    fn line(&self, number: usize) -> Line {
        Line::numbered(self.lines[number].load(Relaxed))
    }

    fn here(&self) -> &Part {
        &self.parts[arch::cpu_id() as usize]
    }

    fn note(&self, line: usize, times: u32) {
        let handled = &self.here().handled[line];
        add(handled, u64::from(times));
        order::note(line, handled.load(Relaxed) as usize);
    }

    /// Raises the line of messages on a CPU.
    fn send(&self, to: usize) {
        self.parts[to].sent.fetch_add(1, Relaxed);
        cpu::critical(|crit| interrupt::raise_on(crit, CpuId::at(to), self.line(SENT)));
    }

    fn complain(&self, me: usize, how: u64) {
        if self.wrong.load(Relaxed) == 0 {
            self.how.store(how, Relaxed);
            self.wrong.store(me as u64 + 1, Relaxed);
        }
    }
}

fn interrupts(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let cpus = cpu::count();
    let victims = EACH * cpus;
    let shared = Arc::new(Interrupts {
        team: Team::new(victims, AtomicU64::default),
        betters: Team::new(cpus, AtomicU64::default),
        over: AtomicU64::new(0),
        parts: (0..cpus).map(|_| CachePadded::default()).collect(),
        lines: Default::default(),
        sums: core::array::from_fn(sum),
        rounds: run.slow_steps(ROUNDS) / victims as u64,
        wrong: AtomicU64::new(0),
        how: AtomicU64::new(0),
    });
    let before = interrupt::counted();
    let betters = start_betters(&shared);
    let lines = register(cx, &shared)?;
    chaos::raise_at_turns(Some(lines[SEEDED].line()));
    let job = Job {
        name: "victim",
        shared: shared.clone(),
        work: victim,
        faults: Faults::None,
        stay: Stay::Bound,
        meet: |s: &Interrupts, number, thread| s.team.enter(number, thread),
    };
    let ended = crew::run(run, cx, &job, (0..victims).map(|number| CpuId::at(number / EACH)));
    chaos::raise_at_turns(None);
    for line in lines {
        // What is still under way comes in before the line closes.
        crew::settle();
        line.close(cx);
    }
    shared.over.store(1, Relaxed);
    cpu::critical(|crit| (0..cpus).for_each(|cpu| shared.betters.wake(crit, cpu)));
    betters.into_iter().for_each(|thread| thread.join(cx));
    verdict(run, &shared, ended, &before)
}

fn start_betters(shared: &Arc<Interrupts>) -> Vec<thread::Handle> {
    let start = |number: usize| {
        let inner = shared.clone();
        let name = Name::new("better");
        let started = thread::spawn_bound(CpuId::at(number), name, Priority::SOFT, move |cx| {
            let (here, woken) = (inner.here(), inner.betters.part(number));
            let mut seen = 0;
            while inner.over.load(Relaxed) == 0 {
                thread::wait_until(cx, Why::on(Reason::Event, woken), |_| {
                    woken.load(Relaxed) != seen || inner.over.load(Relaxed) != 0
                });
                seen = woken.load(Relaxed);
                // What a victim finds that it ran in between of.
                here.runs.store(u64::MAX, Relaxed);
            }
        });
        let handle = started.expect("memory for a thread of a test");
        shared.betters.enter(number, handle.thread());
        handle
    };
    (0..shared.parts.len()).map(start).collect()
}

fn register(cx: &mut MayBlock, shared: &Arc<Interrupts>) -> Result<[Registered; LINES], String> {
    let refused = |why| format!("a line was not registered: {why:?}");
    let mut line = |number: usize, priority, handler: fn(&mut MayBlock, &Interrupts, u64)| {
        let shared = shared.clone();
        let line = interrupt::register(cx, Name::new("line"), priority, Rates::ANY, {
            let shared = shared.clone();
            move |cx, times| {
                shared.note(number, times);
                handler(cx, &shared, shared.here().handled[number].load(Relaxed));
            }
        })
        .map_err(refused)?;
        shared.lines[number].store(line.line().number(), Relaxed);
        Ok::<_, String>(line)
    };
    Ok([
        line(SEEDED, Priority::INTERRUPT, seeded)?,
        line(SENT, Priority::INTERRUPT, |_, _, _| ())?,
        line(DEVICE, Priority::SOFT, |cx, _, handled| {
            if handled % 3 == 0 {
                thread::yield_now(cx);
            }
        })?,
    ])
}

/// What the thread of the seeded line does besides: wakes, sleeps, gives way, raises, on time that it has borrowed.
fn seeded(cx: &mut MayBlock, shared: &Interrupts, handled: u64) {
    let here = arch::cpu_id() as usize;
    match handled % 5 {
        0 => {
            add(shared.betters.part(here), 1);
            cpu::critical(|crit| shared.betters.wake(crit, here));
        }
        1 => thread::sleep(cx, 500),
        2 => thread::yield_now(cx),
        3 => shared.send(here),
        _ => shared.send((here + 1) % shared.parts.len()),
    }
}

/// Computes, and gives way at the end of each round only.
fn victim(cx: &mut MayBlock, crew: &Crew, shared: &Interrupts, me: usize) {
    let (mut dice, here) = (Dice::new(me), shared.here());
    for round in 0..shared.rounds {
        if crew.is_stopped() {
            return;
        }
        let mark = (me as u64) << 32 | round;
        here.runs.store(mark, Relaxed);
        let number = dice.below(SUMS);
        if sum(number) != shared.sums[number] {
            shared.complain(me, 1);
        }
        let to = dice.below(shared.parts.len());
        match dice.below(8) {
            0 => shared.send(to),
            // In a critical section of its own.
            1 => cpu::critical(|_| shared.send(arch::cpu_id() as usize)),
            2 => {
                shared.parts[to].triggered.fetch_add(1, Relaxed);
                let line = shared.line(DEVICE);
                cpu::critical(|crit| interrupt::trigger(crit, CpuId::at(to), line));
            }
            _ => {}
        }
        if here.runs.load(Relaxed) != mark {
            shared.complain(me, 2);
        }
        shared.team.part(me).fetch_add(1, Relaxed);
        crew.step();
        thread::yield_now(cx);
    }
}

fn verdict(
    run: &mut Run<'_>,
    shared: &Interrupts,
    ended: Ended,
    before: &Counted,
) -> Result<String, String> {
    ended.nobody_deaf("raises")?;
    match (shared.wrong.load(Relaxed), shared.how.load(Relaxed)) {
        (0, _) => {}
        (victim, 1) => return Err(format!("victim {} was changed: its sum is wrong", victim - 1)),
        (victim, _) => {
            return Err(format!(
                "victim {} was preempted by another than an interrupt's thread",
                victim - 1
            ));
        }
    }
    ensure!(ended == Ended::Done, "a victim did not come to its end");
    let after = interrupt::counted();
    let of = |get: fn(&Counted) -> u64| get(&after) - get(before);
    let mut handled = [0; LINES];
    for (cpu, part) in shared.parts.iter().enumerate() {
        let by: [u64; LINES] = core::array::from_fn(|line| part.handled[line].load(Relaxed));
        let (sent, triggered) = (part.sent.load(Relaxed), part.triggered.load(Relaxed));
        ensure!(by[SENT] == sent, "CPU {cpu} handled {} raises of {sent} by messages", by[SENT]);
        let some = u64::from(triggered > 0);
        ensure!(
            (some..=triggered).contains(&by[DEVICE]),
            "CPU {cpu} handled {} interrupts of {triggered}",
            by[DEVICE]
        );
        (0..LINES).for_each(|line| handled[line] += by[line]);
    }
    let (raised, all) = (of(|c| c.raised), handled.iter().sum::<u64>());
    ensure!(raised == all, "{all} raises were handled of {raised}");
    let (direct, late) = (of(|c| c.borrowed.direct), of(|c| c.borrowed.late));
    let returns = of(|c| c.borrowed.returns);
    ensure!(returns == direct + late, "{returns} returns of {direct} and {late} borrowed switches");
    let (asked, deferred) = (of(|c| c.asked), of(|c| c.deferred));
    let refusals = after.borrowed.refusals() - before.borrowed.refusals();
    ensure!(
        asked + deferred == direct + refusals,
        "asked {asked} times, deferred {deferred}: {direct} borrowed switches, {refusals} refusals"
    );
    for why in Refusal::ALL {
        run.count(why.word(), after.borrowed.refused(why) - before.borrowed.refused(why));
    }
    run.count("raised", raised);
    run.count("taken", of(|c| c.taken));
    run.count("borrowed", direct);
    run.count("borrowed_late", late);
    ensure!(run.turns() == 0 || direct > 0, "nobody borrowed");
    Ok(format!(
        "{raised} raises handled; {direct} borrowed switches at once and {late} later, all returned; {refusals} refusals"
    ))
}
