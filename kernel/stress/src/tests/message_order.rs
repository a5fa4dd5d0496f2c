//! A burst of messages from one CPU to another.

use crate::crew;
use crate::registry::{Run, Verdict, check, ensure};
use alloc::string::String;
use core::sync::atomic::{AtomicUsize, Ordering};
use kernel_core::{cpu, ipi};
use lwkt_sched::MayBlock;
use percpu::Crit;

check! {
    name: "kernel/message_order",
    doc: "More messages than a ring holds come once each, in order, from one CPU to each, itself included.",
    kind: Test,
    run: message_order,
}

/// Messages in a row: three rings full.
const BURST: usize = 96;

static NEXT: AtomicUsize = AtomicUsize::new(0);
static ODD: AtomicUsize = AtomicUsize::new(0);

fn message_order(_: &mut Run<'_>, _: &mut MayBlock) -> Verdict {
    for cpu in cpu::all() {
        NEXT.store(0, Ordering::Relaxed);
        ODD.store(0, Ordering::Relaxed);
        cpu::critical(|crit| {
            (0..BURST).for_each(|number| ipi::send(crit, cpu.id(), arrive, [number, 0, 0]))
        });
        crew::settle();
        let (came, odd) = (NEXT.load(Ordering::Relaxed), ODD.load(Ordering::Relaxed));
        ensure!(
            came == BURST && odd == 0,
            "CPU {} got {came} messages of {BURST}, {odd} out of order",
            cpu.id().index()
        );
    }
    Ok(String::new())
}

fn arrive(_: &Crit, number: usize, _: usize, _: usize) {
    let next = NEXT.load(Ordering::Relaxed);
    ODD.fetch_add(usize::from(next != number), Ordering::Relaxed);
    NEXT.store(next + 1, Ordering::Relaxed);
}
