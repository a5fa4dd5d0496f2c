//! What goes wrong on purpose, so that tests see what it looks like: one thing, chosen by the command line.
//!
//! An end is thread "main"'s; a clock that is wrong, or a CPU that does not start, is boot's. A bug strikes now and then, and only while a stress test lets it ([`allow`]): the rest of
//! the kernel stays whole. Bugs are in the code with feature `plants` only.

mod misuse;

use crate::{cpu, thread};
use arch::smp::Startup;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use lwkt_sched::{MayBlock, Reason, Why};
use servers::options::{Bug, End, Options, Plant};
use spin::Once;

/// Which faults of a bug may happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Faults {
    /// None: from boot on.
    None,
    /// Pages may leak.
    Pages,
    /// Calls may be executed again that sent something.
    Repeats,
    /// Tokens may be lost over waits.
    Tokens,
    /// Replies of ports may be delivered twice: all messages of the test stay until no more are.
    Replies,
    /// Drains may return early.
    Drains,
    /// Errands may go on early.
    Graces,
    /// Freed objects may never come home.
    Frees,
    /// All others: messages and wakes may get lost, too.
    All,
}

/// The bug that was chosen.
static CHOSEN: Once<Bug> = Once::new();
/// One more than the bug that strikes now and then; 0 for none.
static STRIKING: AtomicU8 = AtomicU8::new(0);

/// By how many ticks the counter of the last CPU seems to be ahead.
static AHEAD: AtomicU64 = AtomicU64::new(0);

/// By how many ticks a CPU's counter seems to be ahead of what it is.
pub(crate) fn clock_ahead(is_last: bool) -> u64 {
    if is_last { AHEAD.load(Ordering::Relaxed) } else { 0 }
}

/// What becomes of the messages that start a CPU.
pub(crate) fn startup(is_in_the_middle: bool) -> Startup {
    let planted = crate::boot::options().and_then(|options| options.plant);
    match planted.filter(|_| is_in_the_middle) {
        Some(Plant::LateCpu) => Startup::FirstLost,
        Some(Plant::MissingCpu) => Startup::Lost,
        _ => Startup::Sent,
    }
}

/// Whether this image can do what the command line chooses.
pub(crate) fn choose(plant: Option<Plant>) -> bool {
    if plant == Some(Plant::Clock) {
        AHEAD.store(1_000_000, Ordering::Relaxed);
    }
    if let Some(Plant::End(End::Misuse(_))) = plant {
        return cfg!(debug_assertions);
    }
    if let Some(Plant::Bug(bug)) = plant {
        CHOSEN.call_once(|| bug);
        return cfg!(feature = "plants");
    }
    true
}

/// Says which faults may happen from now on, if a bug was chosen.
pub fn allow(faults: Faults) {
    let in_force = CHOSEN.get().copied().filter(|bug| match faults {
        Faults::None => false,
        Faults::Pages => *bug == Bug::LeakPage,
        Faults::Repeats => *bug == Bug::StaleIndex,
        Faults::Tokens => *bug == Bug::TokenNotReacquired,
        Faults::Replies => *bug == Bug::DoubleReply,
        Faults::Drains => *bug == Bug::DrainFiring,
        Faults::Graces => *bug == Bug::EarlyGrace,
        Faults::Frees => *bug == Bug::LostFree,
        Faults::All => *bug != Bug::DoubleReply,
    });
    DICE.store(FIRST_THROW, Ordering::Relaxed);
    STRIKING.store(in_force.map_or(0, number), Ordering::Relaxed);
    #[cfg(feature = "plants")]
    let salt = crate::chaos::mix(crate::chaos::seed()) as usize;
    #[cfg(feature = "plants")]
    let in_rings = in_force.and_then(|bug| match bug {
        Bug::Lose => Some(ipiq::plant::Bug::Lose),
        Bug::Double => Some(ipiq::plant::Bug::Double),
        Bug::Reorder => Some(ipiq::plant::Bug::Reorder),
        Bug::LostDoorbell => Some(ipiq::plant::Bug::LostDoorbell),
        Bug::StaleIndex => Some(ipiq::plant::Bug::StaleIndex),
        Bug::LostWake
        | Bug::LeakPage
        | Bug::TokenNotReacquired
        | Bug::DoubleReply
        | Bug::DrainFiring
        | Bug::EarlyGrace
        | Bug::LostFree => None,
    });
    #[cfg(feature = "plants")]
    ipiq::plant::choose(in_rings, salt);
    #[cfg(feature = "plants")]
    lwkt_port::plant::choose(in_force == Some(Bug::DoubleReply), salt);
}

fn number(bug: Bug) -> u8 {
    bug as u8 + 1
}

/// Whether this page, which is put back, leaks: one in a hundred does.
#[inline]
pub(crate) fn leaks_page() -> bool {
    cfg!(feature = "plants") && strikes(Bug::LeakPage, 100)
}

/// Whether this wake from another CPU is lost: one in forty thousand is.
#[inline]
pub(crate) fn loses_wake() -> bool {
    cfg!(feature = "plants") && strikes(Bug::LostWake, 40_000)
}

/// Whether this thread, which has taken its tokens again, loses one: one in two thousand does.
pub(crate) fn loses_token() -> bool {
    cfg!(feature = "plants") && strikes(Bug::TokenNotReacquired, 2000)
}

/// Whether this drain of a callout returns although its handler runs: one in twenty-two that come to that does.
#[inline]
pub(crate) fn drains_early() -> bool {
    cfg!(feature = "plants") && strikes(Bug::DrainFiring, 22)
}

/// Whether this errand goes on although its CPU is in a section: one in forty that come to that does.
#[inline]
pub(crate) fn goes_early() -> bool {
    cfg!(feature = "plants") && strikes(Bug::EarlyGrace, 40)
}

/// Whether this chain of freed objects, which goes to their CPU, is lost: one in fifty is.
pub(crate) fn loses_free() -> bool {
    cfg!(feature = "plants") && strikes(Bug::LostFree, 50)
}

/// What came of the last throw, since faults were last allowed.
static DICE: AtomicU64 = AtomicU64::new(0);
/// What the first one begins with: not 0, which seed 0 would keep.
const FIRST_THROW: u64 = 1;

/// Whether a bug strikes now: once in `odds`, by the seed and what came before.
fn strikes(bug: Bug, odds: u64) -> bool {
    if STRIKING.load(Ordering::Relaxed) != number(bug) {
        return false;
    }
    let next = crate::chaos::mix(DICE.load(Ordering::Relaxed) ^ crate::chaos::seed());
    DICE.store(next, Ordering::Relaxed);
    next.is_multiple_of(odds)
}

/// What the deadlock waits for.
static NEVER: () = ();

/// Stands still before anything was said, if that is chosen.
pub(crate) fn be_silent(options: &Options<'_>) {
    if options.plant == Some(Plant::End(End::Silent)) {
        arch::irq::halt();
    }
}

/// Ends the kernel as is chosen, if at all.
pub fn end(cx: &mut MayBlock, options: &Options<'_>) {
    let Some(Plant::End(end)) = options.plant else { return };
    match end {
        End::Panic => panic!("planted on the command line"),
        End::Triple => arch::power::triple_fault(),
        End::Hang => hang(),
        End::Silent => {}
        End::Deadlock => deadlock(cx),
        End::Overflow => {
            core::hint::black_box(overflow(1));
        }
        // Not in other builds: one more who takes tokens there changes what the compiler makes of those that are measured.
        End::Misuse(how) if cfg!(debug_assertions) => misuse::misuse(cx, how),
        End::Misuse(_) => {}
    }
}

/// Never lets go of its CPU: what a hang looks like.
fn hang() -> ! {
    cpu::critical(|_| {
        loop {
            arch::irq::pause();
        }
    })
}

/// Waits for what never comes, with nothing else to run, and a message on its way that nobody is told of.
fn deadlock(cx: &mut MayBlock) {
    let last = percpu::CpuId::at(cpu::count() - 1);
    let call = ipiq::Call::new(|_, _, _, _| (), [0; 3]);
    cpu::critical(|crit| crate::ipi::fabric().send_passive(crit, last, call));
    thread::wait_until(cx, Why::on(Reason::Event, &NEVER), |_| false);
}

/// Uses more stack than there is.
#[allow(unconditional_recursion)]
fn overflow(depth: u64) -> u64 {
    let ballast = core::hint::black_box([depth; 64]);
    overflow(depth + 1) + ballast[7]
}
