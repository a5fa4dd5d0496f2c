//! Kernel threads: the scheduler's decisions carried out on registers and stacks.
//!
//! Law: a thread switches only at the outermost critical section and with interrupts on, so nothing of these has to be
//! saved; it comes back in the same section. A blocked thread whose CPU has nobody to run waits on its own stack
//! (two switches less than through an idle thread). How threads come and go: [`life`]; how they get to other CPUs: `thread/migrate.rs`.

mod life;
mod migrate;
mod spares;
mod turns;

pub(crate) use life::{Body, Whole, body, exit, lender_body, prepare};
pub use life::{
    Handle, OutOfMemory, spawn, spawn_bound, spawn_bound_detached, spawn_detached, spawn_on,
};
pub(crate) use migrate::give_some;
pub use migrate::{MoveError, ask_for_one, deschedule, migrate, pull, schedule};
pub use spares::{Kept, Spares};
pub(crate) use turns::next_turn;
pub(crate) use turns::tick;
pub use turns::{breathe, take_turn};

use crate::cpu::{self, critical, here};
use crate::{faults, idle, ipi, process, token};
use lwkt_sched::{
    Chase, Context, Left, MayBlock, Next, Rare, Thread, ThreadRef, Unstarted, Wake, Why,
};
use percpu::{CpuId, Crit};
use static_assertions::const_assert_eq;

/// The scheduler of this kernel, with the run queue that this build has.
pub type Scheduler = lwkt_sched::Scheduler;

/// A condition of arriving threads: it has a context in ring 3 (see [`process::arrive`]).
pub(crate) const HAS_PROCESS: Rare = Rare::KERNEL[0];

/// The running thread.
#[inline]
pub fn current() -> ThreadRef {
    critical(|crit| here().scheduler.with(crit, |s| s.current()))
}

/// Lets equals and betters of this CPU run.
#[inline]
pub fn yield_now(_: &mut MayBlock) {
    critical(|crit| {
        let (from, next) = here().scheduler.with(crit, |s| (s.current(), s.yield_now(crit)));
        match next {
            Next::Switch(to) => {
                let left = switch(from, to);
                arrived(crit, left);
            }
            Next::Same | Next::Idle => {
                depart(crit);
            }
        }
    });
}

/// The running thread has just arrived, or has given way to nobody: it goes, if it is wanted gone. True if it did, and is back.
#[cold]
#[inline(never)]
fn depart(crit: &Crit) -> bool {
    let (from, next) = here().scheduler.with(crit, |s| (s.current(), s.depart(crit)));
    go(crit, from, next);
    next != Next::Same
}

/// Lets betters of this CPU run: after a wake.
#[inline]
pub fn give_way(_: &mut MayBlock) {
    critical(|crit| {
        let (from, next) = here().scheduler.with(crit, |s| (s.current(), s.pick(crit)));
        go(crit, from, next);
    });
}

/// Waits until somebody wakes this thread; may return without, so always in a loop.
///
/// The critical section is the outermost: what was looked at in it cannot change before the thread waits.
// Always in line: a call would save registers that the switch saves, if they are live.
#[inline(always)]
#[track_caller]
pub fn block(crit: &Crit, _: &mut MayBlock, why: Why) {
    token::check_may_switch();
    faults::wake_at_once(crit);
    waits(why);
    let (from, next) = here().scheduler.with(crit, |s| (s.current(), s.block(crit, why)));
    go(crit, from, next);
}

#[inline(always)]
fn waits(why: Why) {
    probe::waits(why.reason as u32, why.address as u64);
}

/// Waits until somebody wakes this thread, or until `deadline`, in nanoseconds since boot.
#[track_caller]
pub fn sleep_until(crit: &Crit, _: &mut MayBlock, why: Why, deadline: u64) {
    token::check_may_switch();
    faults::wake_at_once(crit);
    waits(why);
    let (from, next) = here().scheduler.with(crit, |s| (s.current(), s.sleep(crit, why, deadline)));
    crate::timer::rearm(crit);
    go(crit, from, next);
}

/// Waits until `done` says so; it is asked in a critical section, first at once, then after each wake.
pub fn wait_until(cx: &mut MayBlock, why: Why, mut done: impl FnMut(&Crit) -> bool) {
    critical(|crit| {
        while !done(crit) {
            block(crit, cx, why);
        }
    });
}

/// Sleeps for at least so many nanoseconds.
pub fn sleep(cx: &mut MayBlock, nanoseconds: u64) {
    let deadline = crate::timer::now().saturating_add(nanoseconds);
    critical(|crit| {
        while crate::timer::now() < deadline {
            sleep_until(crit, cx, Why::SLEEP, deadline);
        }
    });
}

/// Wakes a thread, on whichever CPU it is.
#[inline]
pub fn wake(crit: &Crit, thread: ThreadRef) {
    let woken = here().scheduler.with(crit, |s| s.wake(crit, thread));
    if let Wake::Remote(cpu) = woken {
        ipi::send(crit, cpu, wake_here, [thread.into_word(), 0, 0]);
    }
}

/// The message of a remote wake.
fn wake_here(crit: &Crit, thread: usize, _: usize, _: usize) {
    if crate::plant::loses_wake() {
        return;
    }
    // SAFETY: `wake` made the word from a thread.
    let thread = unsafe { ThreadRef::from_word(thread) };
    if let Wake::Remote(_) = here().scheduler.with(crit, |s| s.wake(crit, thread)) {
        wake_elsewhere(crit, thread);
    }
}

#[cold]
#[inline(never)]
fn wake_elsewhere(crit: &Crit, thread: ThreadRef) {
    migrate::chase(crit, thread, Chase::NONE, wake_after, 0);
}

/// The message of a wake that was forwarded.
fn wake_after(crit: &Crit, word: usize, _: usize, chase: usize) {
    // SAFETY: `wake` made the word from a thread.
    let thread = unsafe { ThreadRef::from_word(word) };
    let chase = Chase::from_word(chase);
    match here().scheduler.with(crit, |s| s.wake(crit, thread)) {
        Wake::Remote(_) => migrate::chase(crit, thread, chase, wake_after, 0),
        Wake::Local | Wake::Already => {
            chase.caught(thread);
            migrate::go_on(crit, thread, chase);
        }
    }
}

/// Does what was decided about the running thread `from`.
#[inline(always)]
pub(crate) fn go(crit: &Crit, from: ThreadRef, next: Next) {
    match next {
        Next::Same => {}
        Next::Switch(to) => {
            let left = switch(from, to);
            arrived(crit, left);
        }
        Next::Idle => wait_here(crit, from),
    }
}

/// Waits for work on the stack of the blocked thread `from`.
#[inline(always)]
fn wait_here(crit: &Crit, from: ThreadRef) {
    loop {
        idle::rest(crit);
        if let Next::Switch(to) = here().scheduler.with(crit, |s| s.pick(crit)) {
            let left = if to == from { from.into_word() } else { switch(from, to) };
            break arrived(crit, left);
        }
    }
}

/// Switches, and returns when `from` is switched to again: with the thread that was left then, as a word.
#[inline(always)]
pub(crate) fn switch(from: ThreadRef, to: ThreadRef) -> usize {
    debug_assert!(arch::irq::enabled());
    token::check_may_switch();
    probe::switched(probe::low(to.into_word()));
    let context = |thread: ThreadRef| {
        core::ptr::with_exposed_provenance_mut::<arch::Context>(thread.into_word())
    };
    // SAFETY: 1. the scheduler of this CPU chose both, in this critical section; 2. a thread begins with its `Context`, and
    // that with the stack pointer that `arch::Context` is (asserted below, and there).
    unsafe { arch::switch(context(from), context(to)) }.addr()
}

const_assert_eq!(Thread::CONTEXT + core::mem::offset_of!(Context, sp), 0);

/// On the stack of the thread that came: whatever is rare about this switch from `left`.
#[inline(always)]
pub(crate) fn arrived(crit: &Crit, left: usize) {
    if here().scheduler.with(crit, |s| s.is_rare(crit)) {
        rarely(crit, left);
    }
}

// Out of line, all of it: the switch is in many places.
#[cold]
#[inline(never)]
fn rarely(crit: &Crit, mut left: usize) {
    let rare = loop {
        let rare = settle(crit, left);
        if !rare.contains(Rare::LOAN) {
            break rare;
        }
        // The victim of a borrowed switch runs, whose borrower gave way to this thread: that arrives when the queue
        // chooses it again.
        let (from, next) = here().scheduler.with(crit, |s| (s.current(), s.repay(crit)));
        let Next::Switch(victim) = next else { return };
        left = switch(from, victim);
    };
    // Before it takes its tokens again, which it would let go at once.
    if rare.intersects(Rare::DEPARTS) && !migrate::is_listed(crit, current()) && depart(crit) {
        // What is rare about it was done when it came back.
        return;
    }
    if rare.contains(Rare::TOKENS) {
        token::take_again(crit);
    }
    if rare.contains(HAS_PROCESS) {
        process::arrive(crit);
    }
}

/// Lets others of this CPU run, whatever they are, and comes back without what is rare about the running thread.
pub(crate) fn step_aside(crit: &Crit) {
    let (from, mut next) = here().scheduler.with(crit, |s| (s.current(), s.step_aside(crit)));
    while let Next::Switch(to) = next {
        let left = switch(from, to);
        if !settle(crit, left).contains(Rare::LOAN) {
            return;
        }
        next = here().scheduler.with(crit, |s| s.repay(crit));
    }
}

/// Does what the thread that was left could not do itself; returns what is rare about the one that came.
#[inline(always)]
fn settle(crit: &Crit, left: usize) -> Rare {
    let arrived = here().scheduler.with(crit, |s| s.arrived(crit));
    let Some((rare, over)) = arrived else { return Rare::NONE };
    if rare.held() > 0 {
        // SAFETY: `switch` made the word from a thread.
        token::let_go(crit, unsafe { ThreadRef::from_word(left) }, rare.held(), over.as_ref());
    }
    match over {
        None | Some(Left::Waits(_)) => {}
        Some(Left::Over(memory, joiner)) => {
            life::keep(crit, memory);
            if let Some(joiner) = joiner {
                life::tell(crit, joiner);
            }
        }
        Some(Left::Moved(thread, to)) => migrate::send_off(crit, thread, to),
    }
    rare
}

/// Makes the CPU's first flow of control its idle thread, and its scheduler.
///
/// # Safety
/// Once for each CPU.
pub(crate) unsafe fn first_scheduler(cpu: CpuId, memory: &'static mut Thread) -> Scheduler {
    // SAFETY: the caller's promise.
    unsafe { Scheduler::new(cpu, Unstarted::new(memory), arch::time::tsc) }
}

/// The idle thread of this CPU, for good: leaves the first critical section between rests.
pub(crate) fn idle_forever() -> ! {
    loop {
        critical(|crit| {
            let (from, next) = here().scheduler.with(crit, |s| (s.current(), s.pick(crit)));
            match next {
                Next::Switch(to) => {
                    let left = switch(from, to);
                    arrived(crit, left);
                }
                Next::Same | Next::Idle => idle::rest(crit),
            }
        });
    }
}

/// Kernel stacks that threads use, over all CPUs; idle threads not counted. Exact while no thread comes or goes.
pub fn stacks_in_use() -> usize {
    let in_use: isize = cpu::all()
        .map(|cpu| ipi::call(cpu.id(), |crit| here().spares.with(crit, |spares| spares.in_use())))
        .sum();
    in_use.cast_unsigned()
}

/// What threads have taken for good, over all CPUs.
pub fn kept() -> Kept {
    let own = |crit: &Crit| here().spares.with(crit, |spares| spares.kept());
    cpu::all().fold(Kept::default(), |sum, cpu| sum + ipi::call(cpu.id(), own))
}

/// Checks what must hold of each scheduler outside its calls.
///
/// # Errors
/// The first law that does not hold.
pub fn check() -> Result<(), lwkt_sched::Broken> {
    cpu::all().try_for_each(|cpu| {
        ipi::call(cpu.id(), |crit| here().scheduler.with(crit, |s| s.check(crit)))
    })
}

/// What the schedulers of all CPUs counted.
#[derive(Clone, Copy, Default)]
pub struct Counted {
    /// Switches between threads so far, the idle ones included.
    pub switches: u64,
    /// Those among them from a thread that had to wait.
    pub waits: u64,
}

/// Asks each CPU what its scheduler counted: a message to each, which a window of measurement must not hold.
pub fn counted() -> Counted {
    cpu::all().fold(Counted::default(), |sum, cpu| {
        let own = ipi::call(cpu.id(), |crit| {
            here().scheduler.with(crit, |s| Counted { switches: s.switches(), waits: s.waits() })
        });
        Counted { switches: sum.switches + own.switches, waits: sum.waits + own.waits }
    })
}
