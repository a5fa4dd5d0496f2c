//! The order in which sleeps end.

use crate::registry::{Run, Verdict, check, ensure};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};
use kernel_core::{cpu, thread, timer};
use lwkt_sched::{MayBlock, Name, Priority};

check! {
    name: "kernel/timer_order",
    doc: "Threads of one CPU that sleep wake in the order of their deadlines, however they went to sleep.",
    kind: Test,
    run: timer_order,
}

/// Threads on each CPU.
const SLEEPERS: usize = 7;
/// Nanoseconds between two deadlines.
const APART: u64 = 200_000;

fn timer_order(_: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    for cpu in cpu::all() {
        let woken = Arc::new(AtomicUsize::new(0));
        let start = timer::now() + 1_000_000;
        let mut handles = Vec::new();
        for number in 0..SLEEPERS {
            // 0, 3, 6, 2, 5, 1, 4: neither rising nor falling.
            let (place, woken) = (number * 3 % SLEEPERS, woken.clone());
            let started =
                thread::spawn_on(cpu.id(), Name::new("sleeper"), Priority::SERVER, move |cx| {
                    let deadline = start + APART * place as u64;
                    thread::sleep(cx, deadline.saturating_sub(timer::now()));
                    // The places come one digit after the other.
                    let so_far = woken.load(Ordering::Relaxed);
                    woken.store(so_far * 10 + place + 1, Ordering::Relaxed);
                });
            handles.push(started.map_err(|_| String::from("no memory"))?);
        }
        handles.into_iter().for_each(|handle| handle.join(cx));
        let order = woken.load(Ordering::Relaxed);
        ensure!(
            order == 1_234_567,
            "CPU {} woke its threads in the order {order}",
            cpu.id().index()
        );
    }
    Ok(String::new())
}
