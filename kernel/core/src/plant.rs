//! Faults on purpose, so that tests see what each looks like: by name on the command line.

use crate::{cpu, thread};
use lwkt_sched::{MayBlock, Reason, Why};
use servers::options::Options;

/// The faults that a command line can name.
pub const NAMES: [&str; 6] = ["panic", "triple", "hang", "silent", "deadlock", "overflow"];

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
