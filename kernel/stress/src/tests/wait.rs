//! Waiting and being woken, one thread at a time.

use crate::registry::{Run, Verdict, check, ensure};
use alloc::string::String;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};
use kernel_core::{cpu, thread};
use lwkt_sched::{MayBlock, Name, Priority, Reason, Why};

check! {
    name: "kernel/wait",
    doc: "A thread that waits on each CPU is woken from here; one that is woken before it waits does not wait.",
    kind: Test,
    run: wait,
}

fn wait(_: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    for cpu in cpu::all() {
        for pause in [0, 100_000] {
            let go = Arc::new(AtomicBool::new(false));
            let sign = go.clone();
            let started =
                thread::spawn_on(cpu.id(), Name::new("waiter"), Priority::SERVER, move |cx| {
                    thread::wait_until(cx, Why::on(Reason::Event, &*sign), |_| {
                        sign.load(Ordering::Acquire)
                    });
                });
            let handle = started.map_err(|_| String::from("no memory"))?;
            thread::sleep(cx, pause);
            go.store(true, Ordering::Release);
            cpu::critical(|crit| thread::wake(crit, handle.thread()));
            handle.join(cx);
        }
    }
    let me = thread::current();
    cpu::critical(|crit| {
        thread::wake(crit, me);
        // Comes back at once: the wake is older.
        thread::block(crit, cx, Why::NOTHING);
    });
    ensure!(thread::check().is_ok(), "a scheduler's law is broken");
    Ok(String::new())
}
