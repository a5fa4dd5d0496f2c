//! Hard sections: counted apart from critical ones, and no place to be preempted.

use crate::registry::{Run, Verdict, check, ensure};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use kernel_core::{cpu, interrupt};
use lwkt_sched::{MayBlock, Name, Priority, Rates};

check! {
    name: "kernel/hard_sections",
    doc: "Hard sections nest, interrupts are handled in one, and what comes in one is handled at its end.",
    kind: Test,
    run: hard_sections,
}

fn depths() -> (u32, u32) {
    (arch::cpu::crit_depth(), arch::cpu::hard_level())
}

fn hard_sections(_: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let (handled, seen) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(u32::MAX)));
    let (by_handler, level) = (handled.clone(), seen.clone());
    let line = interrupt::register(
        cx,
        Name::new("test line"),
        Priority::INTERRUPT,
        Rates::ANY,
        move |_, times| {
            by_handler.fetch_add(times, Relaxed);
            level.store(arch::cpu::hard_level(), Relaxed);
        },
    )
    .map_err(|why| format!("a line was not registered: {why:?}"))?;
    kernel_core::thread::sleep(cx, 1_000_000);
    let source = line.line();
    let inside = cpu::hard(cx, |hard| {
        let outer = depths();
        let inner = cpu::critical(|_| depths());
        interrupt::raise(hard, source);
        (outer, inner, handled.load(Relaxed))
    });
    let after = (handled.load(Relaxed), seen.load(Relaxed), depths());
    line.close(cx);
    ensure!(inside == ((1, 1), (2, 1), 0), "inside it was {inside:?}");
    ensure!(after == (1, 0, (0, 0)), "afterwards it was {after:?}");
    Ok(String::new())
}
