//! Threads that go to other CPUs, and requests that reach a thread wherever it is.
//!
//! ```text
//!   migrate: leave own stack ─▶ the next thread sends it off ─▶ acquire, there
//!   pull:    ask its CPU ─▶ that gives it away, or says why not ─▶ acquire, there
//!   ask_for_one: ask a CPU ─▶ that gives one away, or nothing ─▶ acquire, there
//! ```
//! Law: the CPU that a thread is of decides. A thread in ring 3's service ([`HAS_PROCESS`](super::HAS_PROCESS)) is bound, and so is
//! whatever was started so. Messages that a CPU has sent come to their targets in order; of two messages to a thread that moves
//! in between, or of one from before and one from after the move of their sender, the second may come first. Who needs an
//! order waits for an answer, as [`deschedule`] does. A thread of another CPU is reached after at most
//! [`MOST_FORWARDS`](lwkt_sched::MOST_FORWARDS) forwards, however often it moves ([`Chase`]).

use super::{arrived, life, switch, yield_now};
use crate::cpu::{self, critical, here};
use crate::{ipi, timer};
use ipiq::CallFn;
use lwkt_sched::{Change, Chase, Give, MayBlock, Stays, ThreadRef};
use percpu::{CpuId, Crit};

/// Why a thread is not where it was wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MoveError {
    /// There is no such CPU.
    NoSuchCpu,
    /// The CPU is taken away from scheduling.
    Parked,
    /// The thread stays: for good when it is bound or over, else for now.
    Stays(Stays),
}

impl MoveError {
    /// Whether it may be so no more the next time.
    pub const fn passes(self) -> bool {
        matches!(self, Self::Stays(stays) if stays.passes())
    }
}

/// The running thread goes to CPU `to`, and returns there. Outside critical sections.
///
/// # Errors
/// There is no such CPU, it is taken away, or this thread is bound.
pub fn migrate(cx: &mut MayBlock, to: CpuId) -> Result<(), MoveError> {
    debug_assert!(!arch::cpu::in_crit(), "a thread migrates outside critical sections");
    accepts(to)?;
    loop {
        let left = critical(|crit| {
            let (from, next) = here().scheduler.with(crit, |s| (s.current(), s.migrate(crit, to)));
            let next = next?;
            if let Some(next) = next {
                let left = switch(from, next);
                arrived(crit, left);
            }
            Ok(())
        });
        match left.map_err(MoveError::Stays) {
            // What it outran comes while it stands still.
            Err(stays) if stays.passes() => relax(cx),
            done => return done,
        }
    }
}

/// Has the CPU of `thread` give it away to CPU `to`, if it does not run: ready or waiting, it goes on there.
///
/// # Errors
/// Why not. When that [`passes`](MoveError::passes), ask again: meanwhile the thread may have gone on.
pub fn pull(thread: ThreadRef, to: CpuId) -> Result<(), MoveError> {
    accepts(to)?;
    match at_home(thread, |crit| give(crit, thread, to)) {
        Give::Given | Give::There => Ok(()),
        Give::Refused(stays) => Err(MoveError::Stays(stays)),
        Give::Remote(_) => unreachable!("asked at home"),
    }
}

/// Asks CPU `from` for a thread that waits for its turn there and may go. It comes, if there is one; nobody waits for it.
pub fn ask_for_one(crit: &Crit, from: CpuId) {
    ipi::send(crit, from, give_one, [here().id().index(), 0, 0]);
}

/// The message of a CPU that asks.
fn give_one(crit: &Crit, to: usize, _: usize, _: usize) {
    let spare = here().scheduler.with(crit, |s| s.spare(crit, |thread| !is_listed(crit, thread)));
    if let Some(thread) = spare {
        // One that stays for now comes when somebody asks again.
        let _ = give(crit, thread, CpuId::at(to));
    }
}

/// Takes `thread` out of its queue, wherever it is, until it is [scheduled](schedule): what it waits for may come meanwhile, and is
/// kept. One that runs stops where it next gives way, or breathes; one in ring 3 at once.
pub fn deschedule(thread: ThreadRef) -> Change {
    at_home(thread, |crit| {
        let (change, runs) =
            here().scheduler.with(crit, |s| (s.deschedule(crit, thread), s.lender() == thread));
        if runs {
            super::turns::end_turn(crit);
        }
        change
    })
}

/// Puts a descheduled thread back, wherever it is.
pub fn schedule(thread: ThreadRef) -> Change {
    at_home(thread, |crit| here().scheduler.with(crit, |s| s.schedule(crit, thread)))
}

fn accepts(to: CpuId) -> Result<(), MoveError> {
    if to.index() >= cpu::count() {
        Err(MoveError::NoSuchCpu)
    } else if cpu::is_parked(to) {
        Err(MoveError::Parked)
    } else {
        Ok(())
    }
}

fn relax(cx: &mut MayBlock) {
    arch::irq::pause();
    yield_now(cx);
}

/// Executes `f` at the home of a thread, and returns what it says; serves messages while it waits.
///
/// `f` may neither wait nor ask another CPU.
pub(super) fn at_home<R: Send>(thread: ThreadRef, f: impl Fn(&Crit) -> R + Sync) -> R {
    let (mut cpu, mut chase) = (thread.home(), Chase::NONE);
    loop {
        let found = ipi::call(cpu, |crit| {
            (thread.home() == here().id()).then(|| {
                chase.caught(thread);
                let result = f(crit);
                go_on(crit, thread, chase);
                result
            })
        });
        match found {
            Some(result) => return result,
            None => (cpu, chase) = critical(|crit| forward(crit, thread, chase)),
        }
    }
}

/// Sends a message after `thread`, which was not here: `func(thread, word, chase)`.
#[cold]
pub(super) fn chase(crit: &Crit, thread: ThreadRef, chase: Chase, func: CallFn, word: usize) {
    let (cpu, chase) = forward(crit, thread, chase);
    ipi::send(crit, cpu, func, [thread.into_word(), word, chase.into_word()]);
}

fn forward(crit: &Crit, thread: ThreadRef, chase: Chase) -> (CpuId, Chase) {
    let counters = &here().counters;
    counters.chases.add(crit, 1);
    let held = chase.holds();
    let (cpu, chase) = chase.forward(thread);
    counters.held_still.add(crit, u64::from(chase.holds() && !held));
    (cpu, chase)
}

/// Gives a thread of this CPU away.
fn give(crit: &Crit, thread: ThreadRef, to: CpuId) -> Give {
    let cpu = here();
    if is_listed(crit, thread) {
        return Give::Refused(Stays::Waits);
    }
    let idle = cpu.scheduler.with(crit, |s| s.is_idle() && s.idle() != thread);
    if idle && life::stands_on(thread) {
        // This CPU waits on the stack of that thread: it goes to wait on its own, and the next one who asks gets it.
        cpu.scheduler.with(crit, |s| s.step_off(crit));
        return Give::Refused(Stays::Left);
    }
    let given = cpu.scheduler.with(crit, |s| s.give(crit, thread, to));
    if given == Give::Given {
        send_off(crit, thread, to);
    }
    given
}

/// Whether a thread of this CPU is on its list of those that wait on queues: it may be woken already, and then takes itself off
/// when it runs.
#[cold]
pub(super) fn is_listed(crit: &Crit, thread: ThreadRef) -> bool {
    here().waiters.with(crit, |waiters| waiters.has(thread))
}

/// Gives up to [`SOME`] threads of this CPU away to CPU `to`, and has the running one go where it next gives way, and those that
/// wait on queues when they come to run; says how many are still here that will go without being woken.
pub(crate) fn give_some(crit: &Crit, to: CpuId) -> usize {
    let mut some = [None; SOME];
    let runs = here().scheduler.with(crit, |s| {
        let movable = s.threads().map(|one| one.thread);
        let movable = movable.filter(|one| {
            let waits = s.waits_here(crit, *one);
            if waits {
                s.evict(crit, *one, to);
            }
            !waits && s.goes(crit, *one)
        });
        some.iter_mut().zip(movable).for_each(|(place, thread)| *place = Some(thread));
        s.lender()
    });
    let found = some.iter().flatten().count();
    for thread in some.into_iter().flatten() {
        if thread == runs {
            here().scheduler.with(crit, |s| s.evict(crit, thread, to));
            super::turns::end_turn(crit);
        } else {
            // What stays for now is found the next time.
            let _ = give(crit, thread, to);
        }
    }
    found
}

/// Threads that are given away in one go.
const SOME: usize = 16;

/// A thread has left its stack, or was given away: to its new CPU.
pub(super) fn send_off(crit: &Crit, thread: ThreadRef, to: CpuId) {
    here().counters.migrations.add(crit, 1);
    probe::leaves(probe::low(thread.into_word()), to.index() as u64);
    ipi::send(crit, to, acquire_here, [thread.into_word(), 0, 0]);
}

/// Sends a thread of this CPU, which was taken away, to another. One that is held still is sent when it was caught.
#[cold]
#[inline(never)]
pub(super) fn pass_on(crit: &Crit, thread: ThreadRef) {
    let _ = give(crit, thread, crate::park::other_than(here().id()));
}

/// A message that was caught is done with its thread, which it may have held still: on a CPU that was taken away, the thread goes on.
pub(super) fn go_on(crit: &Crit, thread: ThreadRef, chase: Chase) {
    let cpu = here().id();
    if chase.holds() && thread.home() == cpu && cpu::is_parked(cpu) {
        pass_on(crit, thread);
    }
}

/// The message with which a thread comes. If this CPU was taken away meanwhile the thread passes on.
fn acquire_here(crit: &Crit, thread: usize, _: usize, _: usize) {
    // SAFETY: `send_off` made the word from a thread.
    let thread = unsafe { ThreadRef::from_word(thread) };
    let cpu = here();
    probe::came(probe::low(thread.into_word()));
    let sleeps = cpu.scheduler.with(crit, |s| s.acquire(crit, thread));
    if sleeps {
        timer::rearm(crit);
    }
    if cpu::is_parked(cpu.id()) {
        pass_on(crit, thread);
    }
}
