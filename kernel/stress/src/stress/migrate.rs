//! Threads that move between CPUs, by themselves and pulled, some with a token in hand, while others send to them, wake and join
//! them; CPUs are parked and given back throughout.

use crate::crew::{self, Crew, Ended, Job, Stay, relax};
use crate::dice::Dice;
use crate::registry::{Run, Verdict, check, ensure};
use crate::team::{Team, add};
use crate::window::Window;
use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use kernel_core::chaos::mix;
use kernel_core::exec::Threads;
use kernel_core::faults::Fault;
use kernel_core::plant::Faults;
use kernel_core::token::{Outer, Token};
use kernel_core::{cpu, order, thread};
use lwkt_port::{Body, Error, Message, Port, ThreadPort};
use lwkt_sched::{MOST_FORWARDS, MayBlock, Name, Priority, Reason, Why};
use percpu::CpuId;

check! {
    name: "kernel/migrate",
    doc: "Threads move at random, are pulled, descheduled and driven off CPUs, while they are messaged, woken, joined: each message and wake comes once, tokens go along.",
    kind: Stress,
    run: migrate,
}

/// Questions and wakes of a full run, each.
const STEPS: u64 = 30_000;
/// Servers at most, and clients, and threads of the relay: each client takes leave of each server.
const BAND: usize = 32;
/// Questions of one client that are on their way at once.
const WINDOW: usize = 6;

/// Turns of CPUs while somebody counts, in mode `insns`: others that had the token would count, too.
const TURNS: usize = 80;

/// How often it was taken, by whoever had it.
static TOKEN: Token<Cell<u64>> = Token::new(Cell::new(0));

/// A question.
struct Question {
    from: usize,
    /// Its number among those of this client; the last is 0: the client asks no more.
    number: u64,
}

impl Body for Question {
    type Reply = u64;
    type Exec = Threads;
}

/// What a thread of the relay was given, and has taken.
#[derive(Default)]
struct Part {
    given: AtomicU64,
    taken: AtomicU64,
}

/// Servers come first, then as many clients, then as many of a relay, then the one that drives them all about.
struct Nomads {
    cpus: usize,
    /// How many there are of each sort.
    band: usize,
    each: u64,
    ports: Vec<&'static ThreadPort<Question>>,
    team: Team<Part>,
    /// Wakes that the relay has left.
    left: AtomicU64,
    /// Clients and relays that are not done.
    working: AtomicUsize,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    answered: AtomicU64,
    wrong: AtomicU64,
    /// Questions that another of their client overtook: a move of either lets that happen.
    overtaken: AtomicU64,
    moves: AtomicU64,
    /// Times that the token was taken.
    taken: AtomicU64,
    pulled: AtomicU64,
    refused: AtomicU64,
    stops: AtomicU64,
    parked: AtomicU64,
    born: AtomicU64,
    ran: AtomicU64,
}

fn migrate(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let cpus = cpu::count();
    let band = cpus.min(BAND);
    let steps = run.slow_steps(STEPS);
    let nomads = Arc::new(Nomads {
        cpus,
        band,
        each: (steps / band as u64).max(16),
        ports: (0..band).map(|_| &*Box::leak(Box::new(ThreadPort::new()))).collect(),
        team: Team::new(3 * band, Part::default),
        left: AtomicU64::new(steps),
        working: AtomicUsize::new(2 * band),
        counts: Counts::default(),
    });
    let places = (0..=3 * band).map(move |number| CpuId::at(number % band * cpus / band));
    let job = Job {
        name: "nomad",
        shared: nomads.clone(),
        work,
        faults: Faults::None,
        stay: Stay::Free,
        meet: Nomads::meet,
    };
    run.is_spared(Fault::ParkedCpu);
    TOKEN.lock(cx).set(0);
    let (stacks, before) = (thread::stacks_in_use(), followed());
    let ended = crew::run(run, cx, &job, places);
    cpu::all().for_each(|cpu| cpu::unpark(cpu.id()));
    let after = followed();
    let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let counts = &nomads.counts;
    for (name, count) in [
        ("answers", &counts.answered),
        ("overtaken", &counts.overtaken),
        ("moves", &counts.moves),
        ("token", &counts.taken),
        ("pulled", &counts.pulled),
        ("refused", &counts.refused),
        ("descheduled", &counts.stops),
        ("parked", &counts.parked),
        ("children", &counts.born),
    ] {
        run.count(name, of(count));
    }
    run.count("chases", after.0 - before.0);
    run.count("held_still", after.1 - before.1);
    let total = nomads.each * band as u64;
    let (answered, wrong) = (of(&counts.answered), of(&counts.wrong));
    let (born, ran) = (of(&counts.born), of(&counts.ran));
    ensure!(wrong == 0, "{wrong} answers belong to other questions");
    ensure!(
        ended == Ended::Done && answered == total,
        "{answered} of {total} questions were answered"
    );
    let unlike = nomads.team.parts().position(|part| of(&part.given) != of(&part.taken));
    ensure!(unlike.is_none(), "thread {unlike:?} did not see each of its wakes");
    let (seen, taken) = (TOKEN.lock(cx).get(), of(&counts.taken));
    ensure!(seen == taken, "the token was taken {taken} times, its owners saw {seen}");
    ensure!(born == ran, "{ran} of {born} children ran");
    let now = thread::stacks_in_use();
    ensure!(now == stacks, "{stacks} stacks were in use before, {now} after");
    let moved = of(&counts.moves) + of(&counts.pulled);
    ensure!(cpus == 1 || moved > 0, "no thread moved");
    Ok(format!(
        "{total} questions and {steps} wakes over {cpus} CPUs, each came once, the wakes by {MOST_FORWARDS} forwards at most; {moved} moves"
    ))
}

/// Messages that were forwarded so far, and those that had their thread stand still.
fn followed() -> (u64, u64) {
    cpu::all().fold((0, 0), |(chases, held), cpu| {
        (chases + cpu.counters.chases.get(), held + cpu.counters.held_still.get())
    })
}

impl Nomads {
    fn meet(&self, number: usize, thread: lwkt_sched::ThreadRef) {
        if let Some(port) = self.ports.get(number) {
            port.assign(thread);
        }
        self.team.enter(number, thread);
    }

    /// Goes somewhere, now and then, some times with the token in hand.
    fn roam(&self, cx: &mut MayBlock, dice: &mut Dice) {
        let to = CpuId::at(dice.below(self.cpus));
        let went = match dice.below(16) {
            0..3 => thread::migrate(cx, to).is_ok(),
            3 => self.carry(cx, to),
            _ => return,
        };
        self.counts.moves.fetch_add(u64::from(went), Ordering::Relaxed);
    }

    /// Goes with the token in hand. Others have it while this is on its way; here and there it is this thread's alone.
    fn carry(&self, cx: &mut MayBlock, to: CpuId) -> bool {
        let mut held = TOKEN.lock(cx);
        self.count_slowly(&held);
        let went = thread::migrate(held.cx(), to).is_ok();
        self.count_slowly(&held);
        went
    }

    fn count_slowly(&self, count: &Cell<u64>) {
        let before = count.get();
        // Each lets all other CPUs go on for a while; everybody waits for the token.
        (0..(TURNS / self.cpus).max(1)).for_each(|_| arch::irq::pause());
        count.set(before + 1);
        self.counts.taken.fetch_add(1, Ordering::Relaxed);
    }

    fn give(&self, to: usize) {
        // Pairs with: `take`, acquire.
        self.team.part(to).given.fetch_add(1, Ordering::Release);
        cpu::critical(|crit| self.team.wake(crit, to));
    }

    /// Waits until the thread is given one; false when the crew is stopped.
    fn take(&self, cx: &mut MayBlock, crew: &Crew, me: usize) -> bool {
        let part = self.team.part(me);
        let taken = part.taken.load(Ordering::Relaxed);
        // Pairs with: `give`, release.
        thread::wait_until(cx, Why::on(Reason::Event, part), |_| {
            part.given.load(Ordering::Acquire) > taken || crew.is_stopped()
        });
        add(&part.taken, 1);
        order::note(me, taken as usize);
        !crew.is_stopped()
    }
}

fn work(cx: &mut MayBlock, crew: &Crew, nomads: &Nomads, me: usize) {
    match me / nomads.band {
        0 => return serve(cx, nomads, me),
        1 => ask(cx, crew, nomads, me - nomads.band),
        2 => relay(cx, crew, nomads, me),
        _ => return drive(cx, crew, nomads),
    }
    nomads.working.fetch_sub(1, Ordering::Relaxed);
}

/// Answers until each client has said that it asks no more.
fn serve(cx: &mut MayBlock, nomads: &Nomads, me: usize) {
    let mut dice = Dice::new(me);
    let mut server = nomads.ports[me].claim(cx).expect("assigned to this thread, by `meet`");
    let mut last: Vec<u64> = nomads.ports.iter().map(|_| 0).collect();
    let mut open = nomads.band;
    while open > 0 {
        let message = server.receive(cx);
        let Question { from, number } = *message.body();
        order::note(from << 8 | me, number as usize);
        if number == 0 {
            open -= 1;
        } else if number < last[from] {
            nomads.counts.overtaken.fetch_add(1, Ordering::Relaxed);
        } else {
            last[from] = number;
        }
        nomads.roam(cx, &mut dice);
        message.reply(mix(number));
    }
}

/// Asks any server, some questions one by one and some many at a time; makes children, and joins them.
fn ask(cx: &mut MayBlock, crew: &Crew, nomads: &Nomads, me: usize) {
    let mut dice = Dice::new(me + 100);
    let last = || Question { from: me, number: 0 };
    let mut window = Window::new(WINDOW, last);
    for number in 1..=nomads.each {
        let to = nomads.ports[dice.below(nomads.band)];
        if dice.below(3) == 0 {
            let reply = to.do_(cx, &mut Message::new(Question { from: me, number }));
            judge(nomads, number, reply);
        } else {
            window.send(to, number, Question { from: me, number });
        }
        if let Some((number, reply)) = window.take_if_full(cx, &mut dice) {
            judge(nomads, number, reply);
        }
        if dice.below(32) == 0 {
            child(cx, nomads, &mut dice);
        }
        nomads.roam(cx, &mut dice);
        crew.step();
    }
    while let Some((number, reply)) = window.take(cx) {
        judge(nomads, number, reply);
    }
    for to in &nomads.ports {
        let _ = to.do_(cx, &mut Message::new(last()));
        crew.step();
    }
}

fn judge(nomads: &Nomads, number: u64, reply: Result<u64, Error>) {
    let right = reply == Ok(mix(number));
    let counter = if right { &nomads.counts.answered } else { &nomads.counts.wrong };
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A child somewhere that goes elsewhere, and is joined while it does.
fn child(cx: &mut MayBlock, nomads: &Nomads, dice: &mut Dice) {
    let [start, next] = [0, 0].map(|_| CpuId::at(dice.below(nomads.cpus)));
    let went = thread::spawn_on(start, Name::new("child"), Priority::SERVER, move |cx| {
        // Refused when that CPU is parked: it ends where it is.
        let _ = thread::migrate(cx, next);
    });
    if let Ok(child) = went {
        nomads.counts.born.fetch_add(1, Ordering::Relaxed);
        child.join(cx);
        nomads.counts.ran.fetch_add(1, Ordering::Relaxed);
    }
}

/// One thing that is handed around by wakes.
fn relay(cx: &mut MayBlock, crew: &Crew, nomads: &Nomads, me: usize) {
    let first = 2 * nomads.band;
    let mut dice = Dice::new(me + 200);
    if me == first {
        nomads.give(me);
    }
    while nomads.take(cx, crew, me) {
        crew.step();
        // Only who has the thing touches the count.
        let left = nomads.left.load(Ordering::Relaxed);
        nomads.left.store(left.saturating_sub(1), Ordering::Relaxed);
        if left == 0 {
            // The last turn goes around once: each hands over to the next and ends.
            if me + 1 < first + nomads.band {
                nomads.give(me + 1);
            }
            return;
        }
        nomads.roam(cx, &mut dice);
        let next = if left == 1 { 0 } else { dice.below(nomads.band) };
        nomads.give(first + next);
    }
}

/// Pulls threads about, deschedules and schedules them, parks CPUs and gives them back, until all others are done.
fn drive(cx: &mut MayBlock, crew: &Crew, nomads: &Nomads) {
    let mut dice = Dice::new(300);
    let counts = &nomads.counts;
    while nomads.working.load(Ordering::Relaxed) > 0 && !crew.is_stopped() {
        let victim = nomads.team.thread(dice.below(nomads.team.len()));
        let to = CpuId::at(dice.below(nomads.cpus));
        match dice.below(8) {
            0 => {
                if cpu::park(cx, to).is_ok() {
                    counts.parked.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(cx, 20_000);
                    cpu::unpark(to);
                }
            }
            1 | 2 => {
                let _ = thread::deschedule(victim);
                counts.stops.fetch_add(1, Ordering::Relaxed);
                relax(cx);
                let _ = thread::schedule(victim);
            }
            _ => {
                let pulled = thread::pull(victim, to).is_ok();
                let counter = if pulled { &counts.pulled } else { &counts.refused };
                counter.fetch_add(1, Ordering::Relaxed);
            }
        }
        relax(cx);
    }
}
