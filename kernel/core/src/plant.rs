//! Faults on purpose, so that tests see what each looks like: by name on the command line, or by a feature.
//!
//! Those of a feature strike only while a stress test lets them ([`hold`]): the rest of the kernel stays whole.

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

static HELD: AtomicBool = AtomicBool::new(true);

/// Holds the faults of features back, or lets them happen. From boot on they are held.
pub fn hold(on: bool) {
    if PLANTED {
        HELD.store(on, Ordering::Relaxed);
        ipiq::plant::hold(on);
    }
}

/// Whether a planted fault happens now: once in `odds`, by the seed and what came before.
pub(crate) fn strikes(odds: u64) -> bool {
    static DICE: AtomicU64 = AtomicU64::new(0);
    if HELD.load(Ordering::Relaxed) {
        return false;
    }
    let next = crate::chaos::mix(DICE.load(Ordering::Relaxed) ^ crate::chaos::seed());
    DICE.store(next, Ordering::Relaxed);
    next % odds == 0
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
