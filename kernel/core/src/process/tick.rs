//! The tick of a CPU process: for its own user threads, if it asked for one, and for its equals on its CPU.
//!
//! Law: whatever ring 3 asks for, and however often, an equal that is ready runs within a [`QUANTUM`] of this CPU process's time.

use super::{Attention, Carrier, carrier};
use crate::cpu::here;
use crate::{thread, timer};
use percpu::Crit;

/// How long a process runs before an equal on its CPU does, in nanoseconds.
const QUANTUM: u64 = 1_000_000;

/// In nanoseconds: ticks further apart than this do not stay in the timer when a turn ends by a wait.
const FAR: u64 = 10_000_000;

/// Whether a tick that is so many nanoseconds off is taken out of the timer for a wait. It comes for nobody then, which costs less
/// than to take it out, once; but one that is far off would have the timer armed again and again, and look to whoever watches for
/// deadlocks as if something was to come.
#[inline]
pub(super) fn is_far(interval: u64) -> bool {
    interval > FAR
}

/// Arms the tick of a CPU process whose turn goes on, for what is left of it: others that come in between, however often, do not
/// put the tick off.
pub(super) fn go_on(crit: &Crit, carrier: &Carrier) {
    match carrier.own.with(crit, |own| own.due) {
        timer::NEVER => start(crit, carrier),
        due => timer::set_tick(crit, Some(due)),
    }
}

/// The same behind a wait before which the tick was due then. One that was over before it began ended no turn: it switched to nobody,
/// and nobody arrived.
pub(super) fn go_on_by(crit: &Crit, carrier: &Carrier, due: u64) {
    let has_arrived = carrier.own.with(crit, |own| own.due != timer::NEVER);
    if !has_arrived {
        carrier.own.with(crit, |own| own.due = due);
        go_on(crit, carrier);
    }
}

/// Arms the tick of a CPU process whose turn begins.
pub(super) fn start(crit: &Crit, carrier: &Carrier) {
    let interval = carrier.own.with(crit, |own| own.interval);
    let distance = match (interval, contended(crit)) {
        (0, false) => None,
        (0, true) => Some(QUANTUM),
        (interval, false) => Some(interval),
        (interval, true) => Some(interval.min(QUANTUM)),
    };
    let due = distance.map(|distance| timer::now().saturating_add(distance));
    carrier.own.with(crit, |own| own.due = due.unwrap_or(timer::NEVER));
    timer::set_tick(crit, due);
}

/// Makes sure that an equal which became ready meanwhile gets its turn. On the way to ring 3, with interrupts off: from here on they
/// find it there.
pub(super) fn share(crit: &Crit, carrier: &Carrier) {
    if contended(crit) {
        come_by(crit, carrier, timer::now() + QUANTUM);
    }
}

/// The CPU process asks for a tick every `interval` nanoseconds, 0 for none.
pub(super) fn set_interval(crit: &Crit, carrier: &Carrier, interval: u64) {
    carrier.own.with(crit, |own| own.interval = interval);
    let armed = timer::tick_at(crit);
    start(crit, carrier);
    if contended(crit) {
        come_by(crit, carrier, armed);
    }
}

/// The tick comes at `latest`, if it would not before.
fn come_by(crit: &Crit, carrier: &Carrier, latest: u64) {
    carrier.own.with(crit, |own| own.due = own.due.min(latest));
    timer::tick_by(crit, latest);
}

/// Whether others could run here.
fn contended(crit: &Crit) -> bool {
    here().scheduler.with(crit, |s| s.contended(crit))
}

/// The tick came: the CPU process that runs here looks at it on its way to ring 3. False if none does.
pub(crate) fn tick(crit: &Crit) -> bool {
    // In whose time it came: an interrupt's thread may have borrowed the CPU.
    let Some(carrier) = thread::lender_body(crit).and_then(carrier::of) else { return false };
    carrier.own.with(crit, |own| own.due = timer::NEVER);
    carrier.attention.add(Attention::TICK);
    true
}
