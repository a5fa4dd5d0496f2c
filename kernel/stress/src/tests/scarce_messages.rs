//! Messages while there is no memory.

use crate::crew;
use crate::registry::{Run, Verdict, check, ensure};
use alloc::string::String;
use core::sync::atomic::{AtomicUsize, Ordering};
use kernel_core::memory::{self, Refusal};
use kernel_core::{cpu, ipi};
use lwkt_sched::MayBlock;
use percpu::Crit;

check! {
    name: "kernel/scarce_messages",
    doc: "Each CPU reaches each other, also for the first time, while no memory is to be had.",
    kind: Test,
    run: scarce_messages,
}

static ARRIVED: AtomicUsize = AtomicUsize::new(0);

fn scarce_messages(_: &mut Run<'_>, _: &mut MayBlock) -> Verdict {
    memory::refuse(Refusal::From(1));
    for from in cpu::all() {
        for to in cpu::all() {
            ipi::call(from.id(), |crit| ipi::send(crit, to.id(), arrive, [0; 3]));
        }
    }
    crew::settle();
    memory::refuse(Refusal::Off);
    let arrived = ARRIVED.swap(0, Ordering::Relaxed);
    let sent = cpu::count() * cpu::count();
    ensure!(arrived == sent, "{arrived} messages of {sent} arrived");
    Ok(String::new())
}

fn arrive(_: &Crit, _: usize, _: usize, _: usize) {
    ARRIVED.fetch_add(1, Ordering::Relaxed);
}
