//! Faults on purpose, so that tests see what each looks like: by name on the command line, or by a feature.
//!
//! Those of a feature strike only while a stress test lets them ([`allow`]): the rest of the kernel stays whole.

use crate::{cpu, thread};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use lwkt_sched::{MayBlock, Reason, Why};
use servers::options::Options;

/// The faults that a command line can name.
pub const NAMES: [&str; 6] = ["panic", "triple", "hang", "silent", "deadlock", "overflow"];

/// Whether this build has a fault planted by a feature.
const PLANTED: bool = cfg!(feature = "plant-lost-wake")
    || cfg!(feature = "plant-leak-page")
    || !ipiq::PLANTED.is_empty();

/// Which faults of features may happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Faults {
    /// None: from boot on.
    None,
    /// Pages may leak.
    Pages,
    /// Messages and wakes may be lost, too.
    All,
}

static PAGES: AtomicBool = AtomicBool::new(false);
static WAKES: AtomicBool = AtomicBool::new(false);

/// Says which faults of features may happen from now on, if this build has any.
pub fn allow(faults: Faults) {
    if PLANTED {
        PAGES.store(faults != Faults::None, Ordering::Relaxed);
        WAKES.store(faults == Faults::All, Ordering::Relaxed);
        ipiq::plant::hold(faults != Faults::All);
    }
}

/// Whether this page, which is put back, leaks: one in a hundred does.
#[inline]
pub(crate) fn leaks_page() -> bool {
    cfg!(feature = "plant-leak-page") && PAGES.load(Ordering::Relaxed) && strikes(100)
}

/// Whether this wake from another CPU is lost: one in a thousand is.
#[inline]
pub(crate) fn loses_wake() -> bool {
    cfg!(feature = "plant-lost-wake") && WAKES.load(Ordering::Relaxed) && strikes(1000)
}

/// Whether a planted fault happens now: once in `odds`, by the seed and what came before.
#[cold]
fn strikes(odds: u64) -> bool {
    static DICE: AtomicU64 = AtomicU64::new(0);
    let next = crate::chaos::mix(DICE.load(Ordering::Relaxed) ^ crate::chaos::seed());
    DICE.store(next, Ordering::Relaxed);
    next.is_multiple_of(odds)
}

/// What the planted deadlock waits for.
static NEVER: () = ();

/// Does what the command line asks for; most never return.
pub(crate) fn plant(cx: &mut MayBlock, options: &Options<'_>) {
    match options.plant {
        "" => {}
        "panic" => panic!("planted on the command line"),
        "triple" => arch::power::triple_fault(),
        "hang" => hang(),
        "silent" => arch::irq::halt(),
        "deadlock" => deadlock(cx),
        "overflow" => {
            core::hint::black_box(overflow(1));
        }
        name => panic!("no fault is called {name}"),
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

/// Waits for what never comes, with nothing else to run.
fn deadlock(cx: &mut MayBlock) {
    thread::wait_until(cx, Why::on(Reason::Event, &NEVER), |_| false);
}

/// Uses more stack than there is.
#[allow(unconditional_recursion)]
fn overflow(depth: u64) -> u64 {
    let ballast = core::hint::black_box([depth; 64]);
    overflow(depth + 1) + ballast[7]
}
