//! An interrupt that nobody asked for.

use crate::crew;
use crate::registry::{Run, Verdict, check, ensure};
use alloc::string::String;
use kernel_core::{cpu, ipi};
use lwkt_sched::MayBlock;

check! {
    name: "kernel/unexpected_interrupt",
    doc: "An interrupt on a vector that nobody uses is counted where it comes, and nothing else happens.",
    kind: Test,
    run: unexpected,
}

/// Nobody's.
const VECTOR: u8 = 0x55;

fn unexpected(_: &mut Run<'_>, _: &mut MayBlock) -> Verdict {
    for cpu in cpu::all() {
        let before = cpu.counters.unexpected.get();
        let to = ipi::call(cpu.id(), |_| arch::this_cpu().apic_id());
        cpu::critical(|crit| apic::send_ipi(crit, to, VECTOR));
        for _ in 0..10_000 {
            arch::irq::pause();
            if cpu.counters.unexpected.get() != before {
                break;
            }
        }
        let counted = cpu.counters.unexpected.get() - before;
        ensure!(counted == 1, "CPU {} counted {counted} of 1", cpu.id().index());
    }
    crew::settle();
    Ok(String::new())
}
