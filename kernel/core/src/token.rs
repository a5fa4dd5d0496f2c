//! Tokens and spin locks as they are here: tied to the switch and to critical sections.
//!
//! ```text
//!   thread A, holds tokens: its number of them is in the scheduler's rare word
//!     └─ waits ─▶ switch ─▶ thread B arrives, the word is not zero: lets A's tokens go, marks A
//!   thread A is chosen ─▶ switch ─▶ A arrives, its mark makes that rare: takes its tokens again, or steps aside ─▶ ...
//! ```
//! Law: the number, the mark and the list of a thread are touched by its CPU alone. Threads without tokens pay nothing. A CPU
//! does not rest while a thread of it waits for a token: that stays ready.

use crate::cpu::{self, Cpu, Machine, here};
use crate::exec::Threads;
use crate::thread::{self, Scheduler, Whole};
use core::panic::Location;
use core::sync::atomic::Ordering;
use lwkt_sched::{Left, ThreadRef};
use lwkt_token::{Exec, Held};
use percpu::{CpuId, Crit, Here, Own};

pub use lwkt_token::Outer;

/// A token of this kernel: see [`lwkt_token`].
pub type Token<T = ()> = lwkt_token::Token<Threads, T>;
/// A spin lock of this kernel: see [`lwkt_token::SpinLock`].
pub type SpinLock<T> = lwkt_token::SpinLock<Threads, T>;
/// Tokens of this kernel by address: see [`lwkt_token::Pool`].
pub type Pool<const N: usize> = lwkt_token::Pool<Threads, N>;

const SCHEDULER: usize = core::mem::offset_of!(Cpu, scheduler) + Own::<Scheduler>::VALUE;
const WORD: usize = SCHEDULER + Scheduler::RARE;
const CURRENT: usize = SCHEDULER + Scheduler::CURRENT;

/// The tokens of a thread that is no idle one.
fn held_of(thread: *const ()) -> &'static Held {
    // SAFETY: such a thread is the beginning of a `Whole` (`life::fresh`).
    let held = unsafe { thread.byte_add(Whole::HELD) };
    // SAFETY: 1. as above; 2. a thread's memory lasts for ever.
    unsafe { &*held.cast::<Held>() }
}

// SAFETY:
// 1. `me`: the running thread is what this CPU's scheduler says; only who may wait asks, so it is no idle thread.
// 2. `word`, `took`, `gave`: the offset is that of the scheduler's rare word, a `u32`.
// 3. The sections and the number are the machine's own; `step_aside` checks that the section is the only one.
// 4. `thread::rarely` lets go and takes again, on every arrival after a switch.
unsafe impl Exec for Threads {
    const AHEAD: usize = Whole::HELD;

    #[inline(always)]
    fn me() -> &'static Held {
        // SAFETY: there is a reference to a thread.
        held_of(unsafe { arch::cpu::pointer::<CURRENT>() })
    }

    #[inline(always)]
    fn word() -> usize {
        // SAFETY: there is the rare word.
        unsafe { arch::cpu::word::<WORD>() }
    }

    #[inline(always)]
    fn word_is(word: usize) -> bool {
        // SAFETY: there is the rare word.
        unsafe { arch::cpu::word_is::<WORD>(word) }
    }

    #[inline(always)]
    fn took() {
        // SAFETY: there is the rare word.
        unsafe { arch::cpu::increase::<WORD>() }
    }

    #[inline(always)]
    fn gave() {
        // SAFETY: there is the rare word; who has a token is counted.
        unsafe { arch::cpu::decrease::<WORD>() }
    }

    fn let_go(crit: &Crit) {
        here().scheduler.with(crit, |s| {
            s.set_held(crit, 0);
            s.let_go(crit, s.current());
        });
    }

    fn taken_again(crit: &Crit, held: usize) {
        here().scheduler.with(crit, |s| s.taken_again(crit, held));
        probe::holds(held as u32);
    }

    fn crit<R>(f: impl FnOnce(&Crit) -> R) -> R {
        cpu::critical(f)
    }

    fn relax(crit: &Crit) {
        arch::irq::pause();
        if arch::cpu::is_pending() && arch::cpu::may_switch() {
            cpu::serve_at_rest(crit);
        }
    }

    fn step_aside(crit: &Crit) {
        assert!(
            arch::cpu::may_switch(),
            "a thread waits for a token in its outermost critical section only"
        );
        thread::step_aside(crit);
    }

    fn loses_token() -> bool {
        crate::plant::loses_token()
    }

    #[inline(always)]
    unsafe fn enter() -> Crit {
        arch::crit_enter();
        // SAFETY: the caller ends the section after the last use of this.
        unsafe { Crit::assume() }
    }

    #[inline(always)]
    unsafe fn leave() {
        cpu::leave();
    }

    #[inline(always)]
    fn here(crit: &Crit) -> CpuId {
        Machine::here(crit)
    }

    fn ranks(_: &Crit) -> u32 {
        here().spin_ranks.load(Ordering::Relaxed)
    }

    fn set_ranks(_: &Crit, ranks: u32) {
        here().spin_ranks.store(ranks, Ordering::Relaxed);
    }

    fn set_place(_: &Crit, rank: u32, place: &'static Location<'static>) {
        here().spin_places[rank as usize].set(place);
    }
}

/// Ends a build with checks in which the caller gives its CPU away though it may not: in a section within others, or with a spin
/// lock in hand.
#[inline(always)]
#[track_caller]
pub(crate) fn check_may_switch() {
    #[cfg(debug_assertions)]
    {
        let ranks = here().spin_ranks.load(Ordering::Relaxed);
        if let Some(rank) = ranks.checked_ilog2() {
            match here().spin_places[rank as usize].get() {
                Some(place) => {
                    panic!("a thread gives its CPU away with a spin lock in hand, taken at {place}")
                }
                None => panic!("a thread gives its CPU away with a spin lock in hand"),
            }
        }
        assert!(
            arch::cpu::may_switch(),
            "a thread gives its CPU away in its outermost critical section only"
        );
    }
}

/// Whether a thread of this CPU holds tokens, or has to take some before it goes on: such a thread does not preempt.
pub fn holds_tokens(crit: &Crit, thread: ThreadRef) -> bool {
    here().scheduler.with(crit, |s| s.holds_tokens(crit, thread))
}

/// Lets go the tokens of the thread that was left with so many, and has it take them again when it comes back.
pub(crate) fn let_go(crit: &Crit, left: ThreadRef, count: usize, over: Option<&Left>) {
    let held = held_of(core::ptr::with_exposed_provenance(left.into_word()));
    match over {
        None => {
            held.park(count);
            here().scheduler.with(crit, |s| s.let_go(crit, left));
        }
        // It is marked already, and belongs to the other CPU from the message on that follows.
        Some(Left::Moved(..)) => held.park(count),
        Some(Left::Over(..) | Left::Waits(_)) => match held.place(count - 1) {
            Some(place) => panic!("a thread has ended with {count} tokens, one of {place}"),
            None => {
                panic!("a thread has ended with {count} tokens: the guard of one was forgotten")
            }
        },
    }
}

/// Has the thread that has just arrived take its tokens again.
pub(crate) fn take_again(crit: &Crit) {
    let me = Threads::me();
    lwkt_token::take_again::<Threads>(crit, me, me.parked());
}
