//! What a callout costs that is armed and cancelled before its time, as most are.

use crate::environment::may_block;
use crate::steps::here;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use kernel_core::callout::{Callout, Firing, Reset, When};
use percpu::Crit;

fn fired(_: &Crit, firing: &Firing<AtomicU64>) {
    firing.value().fetch_add(1, Relaxed);
}

static CALLOUT: Callout<AtomicU64> = Callout::short(fired, AtomicU64::new(0));

bench_api::bench! {
    name: "kernel/callout_arm_cancel",
    doc: "A callout of this CPU armed for a far moment and cancelled: into the heap and out, the CPU's timer set and stopped.",
    lies: "Alone in its heap; with earlier ones armed the timer would not be set, with many the heap costs a logarithm.",
    shape: "flat in CPUs",
    run: |b| {
        let (mut cx, cpu) = (may_block(), here());
        let (mut armed, mut cancelled) = (0u64, 0u64);
        // An hour from now.
        let far = When::At(kernel_core::timer::now() + 3_600_000_000_000);
        b.iter(|| {
            armed += u64::from(CALLOUT.reset(&mut cx, far, cpu) == Reset::Armed);
            cancelled += u64::from(CALLOUT.cancel(&mut cx));
        });
        b.check(armed > 2 && cancelled == armed, "each was pending when it was cancelled");
        b.check(CALLOUT.drain(&mut cx) == Ok(false) && CALLOUT.value().load(Relaxed) == 0, "none fired");
    },
}
