//! What windows of measurement count of threads and rests.

use crate::crew;
use crate::registry::{Run, Verdict, check, ensure};
use alloc::string::String;
use kernel_core::cpu;
use kernel_core::thread::{self, Counted};
use lwkt_sched::MayBlock;

check! {
    name: "kernel/counted",
    doc: "A wait is counted once, with the switch away, the rest and the switch back; reading the counts counts nothing.",
    kind: Test,
    run: counted,
}

const WAITS: u64 = 10;

fn counted(_: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    crew::settle();
    let Counted { switches, waits } = thread::counted();
    let again = thread::counted();
    ensure!(
        (again.switches, again.waits) == (switches, waits),
        "two readings in turn differ by {} switches, {} waits",
        again.switches - switches,
        again.waits - waits
    );
    let rests = cpu::rests();
    (0..WAITS).for_each(|_| thread::sleep(cx, 100_000));
    let (after, rested) = (thread::counted(), cpu::rests() - rests);
    let waited = after.waits - waits;
    ensure!(waited == WAITS, "{WAITS} sleeps were counted as {waited} waits");
    let switched = after.switches - switches;
    ensure!(switched >= 2 * WAITS, "{WAITS} waits with {switched} switches");
    ensure!(rested >= WAITS, "{WAITS} waits with {rested} rests");
    Ok(String::new())
}
