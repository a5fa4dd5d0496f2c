//! Sleeping for a time.

use crate::registry::{Run, Verdict, check, ensure};
use alloc::string::String;
use kernel_core::{thread, timer};
use lwkt_sched::MayBlock;
use servers::options::Clock;

check! {
    name: "kernel/sleep",
    doc: "A sleep never ends early; with instructions as its clock it ends within a few thousand of them.",
    kind: Test,
    run: sleep,
}

/// How late a sleep may end where nothing but the guest uses up time.
const LATE: u64 = 10_000;

fn sleep(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    for wanted in [0, 1, 1_000, 50_000, 3_000_000] {
        let start = timer::now();
        thread::sleep(cx, wanted);
        let slept = timer::now() - start;
        ensure!(slept >= wanted, "a sleep of {wanted} ns took {slept}");
        let exact = run.options.clock == Clock::Insns;
        ensure!(!exact || slept <= wanted + LATE, "a sleep of {wanted} ns took {slept}");
    }
    Ok(String::new())
}
