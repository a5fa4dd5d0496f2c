//! The end of a process: on every CPU that it runs on, then of what it held.
//!
//! ```text
//!   exit, fault ──▶ begin: "how" is said once ──message──▶ each CPU process: END
//!   each, on its way to ring 3: leave: cancel or orphan its calls, leave the address space, stop answering
//!   the last one ──▶ take_apart: handles closed, frames given back, the starter told
//! ```
//! A CPU process that is in ring 3, also in an endless loop, is interrupted by the message that tells it.

use super::object::{self, Who};
use super::{Attention, Carrier, Process, tick};
use crate::cpu::{critical, here};
use crate::fallible::Shared;
use crate::{ipi, thread};
use abi::AtExit;
use alloc::boxed::Box;
use core::sync::atomic::Ordering;
use lwkt_sched::{MayBlock, Reason, Why};
use percpu::Crit;

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// It said so, with a status.
    Exited(i32),
    /// It did what it may not; the line that says what was logged.
    Faulted,
}

impl How {
    fn word(self) -> u64 {
        match self {
            Self::Exited(status) => 1 << 32 | u64::from(status.cast_unsigned()),
            Self::Faulted => 2 << 32,
        }
    }

    pub(super) fn from_word(word: u64) -> Option<Self> {
        match word >> 32 {
            1 => Some(Self::Exited((word as u32).cast_signed())),
            2 => Some(Self::Faulted),
            _ => None,
        }
    }
}

/// What remains when a process is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ended {
    /// How it ended.
    pub how: How,
    /// CPU processes that it had.
    pub carriers: u32,
}

/// Says how a process ends, unless somebody has, and tells all its CPU processes.
pub(crate) fn begin(process: &Process, how: How) {
    // Pairs with: `Process::ending`, acquire.
    let first =
        process.ending.compare_exchange(0, how.word(), Ordering::AcqRel, Ordering::Relaxed).is_ok();
    if first {
        process.each_carrier(tell);
    }
}

/// Tells a CPU process to look at the end of its process.
pub(crate) fn tell(carrier: &Carrier) {
    carrier.on_its_cpu(end_here);
}

fn end_here(crit: &Crit, address: usize, _: usize, _: usize) {
    let carrier = core::ptr::with_exposed_provenance::<Carrier>(address);
    // SAFETY: CPU processes are freed by `take_apart` only, after all their CPUs have executed what was sent before.
    unsafe { &*carrier }.notice(crit, Attention::END);
}

/// Ends the CPU process of the running thread. From its own context, outside critical sections; never returns.
pub(crate) fn leave(cx: &mut MayBlock, carrier: &Carrier) -> ! {
    let process = Shared::clone(&carrier.process);
    depart(cx, carrier);
    critical(|crit| {
        carrier.strike_off(crit);
        here().scheduler.with(crit, |s| s.set_rare(crit, s.current(), lwkt_sched::Rare::NONE));
        thread::body(crit).carrier.set(core::ptr::null());
        crate::timer::set_tick(crit, None);
        arch::paging::activate_kernel();
    });
    // Pairs with: itself. The last one sees all that the others did before.
    let last =
        process.ended.fetch_add(1, Ordering::AcqRel) + 1 == process.made.load(Ordering::Acquire);
    if last {
        take_apart(&process);
    }
    drop(process);
    thread::exit()
}

/// Lets the pending calls go, each as the table says.
fn depart(cx: &mut MayBlock, carrier: &Carrier) {
    // No ticks meanwhile: one that is far off would hide a call that never completes.
    critical(|crit| tick::set_interval(crit, carrier, 0));
    loop {
        let next = critical(|crit| {
            carrier.own.with(crit, |own| own.pending.depart().map(|call| (call, own.number)))
        });
        let Some((call, number)) = next else { break };
        if call.fate == AtExit::Cancel {
            object::cancel(
                call.detail.object,
                Who { cpu: carrier.cpu(), carrier: number, call: call.id },
            );
        }
    }
    // What is left has to complete first.
    thread::wait_until(cx, Why::on(Reason::Completion, carrier), |crit| {
        carrier.own.with(crit, |own| {
            own.waiting = own.thread;
            own.pending.is_empty()
        })
    });
}

/// Gives back what the process held. By its last CPU process, when no other can touch it.
pub(super) fn take_apart(process: &Shared<Process>) {
    process.handles.close_all().for_each(object::close);
    // Messages to CPU processes that were sent before they left are executed after this.
    ipi::settle(&percpu::CpuSet::first_n(crate::cpu::count()));
    let space = ipi::call(process.home(), |crit| process.space.with(crit, Option::take));
    if let Some(space) = space {
        // SAFETY: every CPU process has activated the kernel's tables before it counted itself as ended.
        critical(|crit| unsafe { space.destroy(crit) });
    }
    for place in &process.carriers {
        // Pairs with: `Process::enter`, release: what was made elsewhere is dropped here.
        let carrier = place.swap(core::ptr::null_mut(), Ordering::Acquire);
        if !carrier.is_null() && carrier != super::CLAIMED {
            // SAFETY: `start` made it from a box; nobody is left who could use it: its thread has left it, answers
            // find no number, and what was sent to it has been executed.
            drop(unsafe { Box::from_raw(carrier) });
        }
    }
    let waiter = process.waiter;
    // Pairs with: `Launch::wait`, acquire.
    process.gone.store(true, Ordering::Release);
    critical(|crit| thread::wake(crit, waiter));
}
