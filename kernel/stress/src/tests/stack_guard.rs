//! The page under a stack.

use crate::registry::{Run, Verdict, check, ensure};
use alloc::string::String;
use alloc::sync::Arc;
use arch::layout::{PAGE, STACKS, STACKS_PER_CPU};
use arch::stack;
use core::sync::atomic::{AtomicUsize, Ordering};
use kernel_core::{cpu, thread};
use lwkt_sched::{MayBlock, Name, Priority};

check! {
    name: "kernel/stack_guard",
    doc: "A thread's stack lies in a slot of a CPU, above a page that is recognised as its guard.",
    kind: Test,
    run: stack_guard,
}

fn stack_guard(_: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    for cpu in cpu::all() {
        let at = Arc::new(AtomicUsize::new(0));
        let sink = at.clone();
        let started = thread::spawn_on(cpu.id(), Name::new("deep"), Priority::SERVER, move |_| {
            let local = 0u8;
            sink.store((&raw const local).addr(), Ordering::Release);
        });
        started.map_err(|_| String::from("no memory"))?.join(cx);
        let at = at.load(Ordering::Acquire);
        let offset = at.wrapping_sub(STACKS);
        // Of the CPU that mapped it: a thread that came from there may have ended here.
        let (wanted, slot) = (offset / STACKS_PER_CPU, offset % STACKS_PER_CPU / stack::STRIDE);
        ensure!(wanted < cpu::count(), "a thread has a stack at {at:#x}");
        ensure!(slot >= stack::FIRST_SLOT, "a thread is on the machine's stack {slot} of {wanted}");
        let top = stack::top(wanted as u32, slot);
        let guard = top - stack::STRIDE;
        ensure!(
            guard + PAGE + stack::BYTES == top,
            "a stack of {} bytes does not fit above its guard",
            stack::BYTES
        );
        for (address, is_guard) in
            [(guard, true), (guard + PAGE - 1, true), (guard + PAGE, false), (top - 1, false)]
        {
            let seen = stack::guard(address);
            let right = seen == is_guard.then_some((wanted as u32, slot));
            ensure!(right, "{address:#x} of slot {slot} is taken for {seen:?}");
        }
    }
    Ok(String::new())
}
