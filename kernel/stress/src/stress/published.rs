//! Ports and values that come and go, in memory that goes back to the heap each time, while threads of all CPUs are at them.

use crate::crew::{self, Crew, Ended, Job, Stay};
use crate::dice::Dice;
use crate::registry::{Run, Verdict, check, ensure};
use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use kernel_core::exec::Threads;
use kernel_core::plant::Faults;
use kernel_core::published::Published;
use kernel_core::{cpu, ipi, order, thread, timer};
use lwkt_port::{Body, Error, Message, Opened, Owned, Port, PublishedPort, ThreadPort};
use lwkt_sched::MayBlock;
use percpu::CpuId;

check! {
    name: "kernel/published",
    doc: "Threads open ports at places, close and free them, while others send there, ask back and read: each question is answered once, nobody sees freed memory.",
    kind: Stress,
    run: published,
}

/// Questions of a full run, and looks at values as many.
const QUESTIONS: u64 = 12_000;
/// Nanoseconds that a server waits for a question, and a client for an answer.
const SOON: u64 = 20_000;

struct Question(u64);

impl Body for Question {
    type Reply = u64;
    type Exec = Threads;
}

/// A number twice, the same while it is published; atomics, since the compiler may believe that others do not change.
struct Pair(AtomicU64, AtomicU64);

impl Pair {
    /// Unless it was spoilt.
    fn number(&self) -> Option<u64> {
        let number = self.0.load(Relaxed);
        (number == self.1.load(Relaxed)).then_some(number)
    }
}

static PLACES: [PublishedPort<Question>; 4] = [const { PublishedPort::new() }; 4];
static PAIRS: [Published<Pair>; 4] = [const { Published::new() }; 4];

#[derive(Default)]
struct Shared {
    each: u64,
    /// Threads that ask and have not come to their end.
    ask: AtomicUsize,
    /// Answers that were given, that came, and questions that came back without one.
    given: AtomicU64,
    answered: AtomicU64,
    refused: AtomicU64,
    /// Answers of another sort, and values that were spoilt.
    wrong: AtomicU64,
    /// Ports and values whose memory was freed.
    freed: AtomicU64,
}

fn published(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let cpus = cpu::count();
    let shared = Arc::new(Shared {
        each: (run.slow_steps(QUESTIONS) / cpus as u64).max(1),
        ask: AtomicUsize::new(cpus),
        ..Shared::default()
    });
    let job = Job {
        name: "published",
        shared: shared.clone(),
        work,
        faults: Faults::Graces,
        stay: Stay::Free,
        meet: |_, _, _| (),
    };
    let ended = crew::run(run, cx, &job, (0..2 * cpus).map(|number| CpuId::at(number % cpus)));
    let of = |counter: &AtomicU64| counter.load(Relaxed);
    let (given, answered, refused) = (of(&shared.given), of(&shared.answered), of(&shared.refused));
    run.count("answered", answered);
    run.count("refused", refused);
    run.count("freed", of(&shared.freed));
    ensure!(ended == Ended::Done, "a thread waits for good ({ended:?}) after {answered} answers");
    for pair in &PAIRS {
        free_pair(cx, pair, &shared);
    }
    let wrong = of(&shared.wrong);
    ensure!(wrong == 0, "{wrong} answers or values were wrong");
    ensure!(given == answered, "{given} answers were given, {answered} came");
    let asked = shared.each * cpus as u64;
    ensure!(
        answered + refused == asked,
        "{asked} questions, {answered} answers, {refused} refused"
    );
    let freed = of(&shared.freed);
    ensure!(answered > 0 && freed > 0, "{answered} answers, {freed} ports and values freed");
    Ok(format!("{asked} questions, {answered} answered; {freed} ports and values were freed"))
}

fn work(cx: &mut MayBlock, crew: &Crew, shared: &Shared, me: usize) {
    let mut dice = Dice::new(me);
    if me < cpu::count() {
        while shared.ask.load(Relaxed) > 0 && !crew.is_stopped() {
            serve(cx, shared, &mut dice);
            replace(cx, &PAIRS[dice.below(PAIRS.len())], shared, &mut dice);
            crew.step();
        }
        return;
    }
    for number in 0..shared.each {
        if crew.is_stopped() {
            return;
        }
        ask(cx, shared, &mut dice, number);
        look(cx, &PAIRS[dice.below(PAIRS.len())], shared, &mut dice);
        order::note(me, number as usize);
        crew.step();
    }
    shared.ask.fetch_sub(1, Relaxed);
}

/// Opens a port, answers some, closes it and frees its memory.
fn serve(cx: &mut MayBlock, shared: &Shared, dice: &mut Dice) {
    let memory = Box::leak(Box::new(ThreadPort::new()));
    let memory = match PLACES[dice.below(PLACES.len())].open(cx, memory) {
        Ok(opened) => answer_some(cx, opened, shared, dice),
        // Another thread has it open.
        Err(memory) => {
            crew::relax(cx);
            memory
        }
    };
    // Whoever still found it there would wait for good.
    let memory = core::ptr::from_mut(memory);
    // SAFETY: leaked above, and freed below.
    let trap = unsafe { &*memory };
    assert!(trap.assign(thread::current()), "memory that came back is whole");
    // SAFETY: leaked above; it is this thread's again.
    drop(unsafe { Box::from_raw(memory) });
    shared.freed.fetch_add(1, Relaxed);
}

fn answer_some(
    cx: &mut MayBlock,
    mut opened: Opened<Question>,
    shared: &Shared,
    dice: &mut Dice,
) -> &'static mut ThreadPort<Question> {
    for _ in 0..dice.below(6) {
        let Some(one) = opened.receive_until(cx, timer::now() + SOON) else { continue };
        let number = one.body().0;
        shared.given.fetch_add(1, Relaxed);
        one.reply(number + 1);
        if dice.below(4) == 0 {
            // Refused where that CPU is this one, or was taken away: it goes on here.
            let _ = thread::migrate(cx, CpuId::at(dice.below(cpu::count())));
        }
    }
    opened.close(cx)
}

fn ask(cx: &mut MayBlock, shared: &Shared, dice: &mut Dice, number: u64) {
    let place = &PLACES[dice.below(PLACES.len())];
    let reply = match dice.below(4) {
        0 => place.do_until(cx, &mut Message::new(Question(number)), timer::now() + SOON),
        1 => {
            let message = Owned::new(Box::leak(Box::new(Message::new(Question(number)))));
            let (reply, message) = place.send(message).abort().wait(cx).take();
            // SAFETY: leaked above; it is back.
            drop(unsafe { Box::from_raw(core::ptr::from_mut(message.into_inner())) });
            reply
        }
        _ => place.do_(cx, &mut Message::new(Question(number))),
    };
    let counter = match reply {
        Ok(next) if next == number + 1 => &shared.answered,
        Err(Error::Closed | Error::Aborted) => {
            // Time for somebody to open it.
            (0..=dice.below(8)).for_each(|_| crew::relax(cx));
            &shared.refused
        }
        Ok(_) | Err(Error::Dropped) => &shared.wrong,
    };
    counter.fetch_add(1, Relaxed);
}

/// Looks at a value twice, and serves what comes in between.
fn look(cx: &mut MayBlock, pair: &Published<Pair>, shared: &Shared, dice: &mut Dice) {
    // Now and then for so long that who takes it would be back meanwhile.
    let (first, calls) = (dice.below(cpu::count()), [0, 1, 2, 16][dice.below(4)]);
    let whole = pair.read(cx, |pair| {
        let Some(pair) = pair else { return true };
        let before = pair.number();
        for other in first..first + calls {
            ipi::call(CpuId::at(other % cpu::count()), |_| ());
        }
        // Nor is it another by now.
        before.is_some() && pair.number() == before
    });
    shared.wrong.fetch_add(u64::from(!whole), Relaxed);
}

/// Puts another value in the place of the one that is there.
fn replace(cx: &mut MayBlock, pair: &Published<Pair>, shared: &Shared, dice: &mut Dice) {
    free_pair(cx, pair, shared);
    let number = dice.below(1 << 20) as u64;
    let fresh = Box::leak(Box::new(Pair(number.into(), number.into())));
    if let Err(fresh) = pair.publish(fresh) {
        // SAFETY: leaked above; another thread was quicker, and this is back.
        drop(unsafe { Box::from_raw(core::ptr::from_mut(fresh)) });
    }
}

/// Takes a value away, spoils it, and frees it.
fn free_pair(cx: &mut MayBlock, pair: &Published<Pair>, shared: &Shared) {
    let Some(taken) = pair.take() else { return };
    let pair = taken.reclaim(cx);
    *pair.1.get_mut() = !*pair.0.get_mut();
    // SAFETY: leaked by `replace`; it is this thread's again, whole.
    drop(unsafe { Box::from_raw(core::ptr::from_mut(pair)) });
    shared.freed.fetch_add(1, Relaxed);
}
