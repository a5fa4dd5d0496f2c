//! Functions on other CPUs.

use crate::registry::{Run, Verdict, check, ensure};
use alloc::string::String;
use core::sync::atomic::{AtomicUsize, Ordering};
use kernel_core::{cpu, ipi};
use lwkt_sched::MayBlock;
use percpu::CpuSet;

check! {
    name: "kernel/remote_call",
    doc: "A call runs on the CPU that it names; a synchronised function has run on all when it returns, once on each.",
    kind: Test,
    run: remote_call,
}

fn remote_call(_: &mut Run<'_>, _: &mut MayBlock) -> Verdict {
    for cpu in cpu::all() {
        let ran_on = ipi::call(cpu.id(), |_| cpu::here().id());
        ensure!(
            ran_on == cpu.id(),
            "a call for CPU {} ran on CPU {}",
            cpu.id().index(),
            ran_on.index()
        );
    }
    let seen = AtomicUsize::new(0);
    let word = (&raw const seen).expose_provenance();
    for round in 1..=100 {
        ipi::sync(&CpuSet::first_n(cpu::count()), |_, word| count(word), word);
        let ran = seen.load(Ordering::Relaxed);
        ensure!(ran == round * cpu::count(), "{ran} functions ran of {}", round * cpu::count());
    }
    Ok(String::new())
}

fn count(word: usize) {
    // SAFETY: the counter is on the stack of `remote_call`, which waits for this.
    let seen = unsafe { &*core::ptr::with_exposed_provenance::<AtomicUsize>(word) };
    seen.fetch_add(1, Ordering::Relaxed);
}
