//! How a CPU rests: `hlt`, `mwait` on its doorbell, or a spin; switched at run time.
//!
//! ```text
//!   poll_enter: word = POLLING ─▶ rests: odd ─▶ look, look ... a mark, or an interrupt's ─▶ rests: even ─▶ poll_exit: execute
//! ```
//! Law: while the doorbell's word is not zero nobody interrupts this CPU for a message (`ipiq::doorbell`), so one that polls is
//! woken by the store alone. A mark ends the poll before its message is taken: between the two halves of its rest a CPU has
//! executed nothing, as [`Rests`](super::Rests) wants it.

pub use servers::options::Idle;

use super::{halt, wake};
use crate::cpu::{self, here};
use crate::{chaos, ipi, say};
use arch::features::Features;
use core::sync::atomic::{AtomicU32, Ordering};
use percpu::Crit;

/// What is unusual about rests, tested at once: seeded turns, and the policy above that bit. Zero in the common case.
static UNUSUAL: AtomicU32 = AtomicU32::new(0);
const SEEDED: u32 = 1;
const POLICY: u32 = 1;

/// The policy that the command line chooses. Before any other CPU rests.
pub(crate) fn choose(wanted: Idle, features: Features) {
    set(possible(wanted, features));
}

/// Has all CPUs rest like this from now on; what cannot be is not done, and said. Returns what is in force.
pub fn set_idle_policy(wanted: Idle) -> Idle {
    let chosen = possible(wanted, arch::boot::features());
    set(chosen);
    // Whoever rests in the old way stops, and rests again.
    cpu::all().for_each(|cpu| ipi::call(cpu.id(), |_| ()));
    chosen
}

/// How CPUs rest.
pub fn idle_policy() -> Idle {
    match UNUSUAL.load(Ordering::Relaxed) >> POLICY {
        0 => Idle::Hlt,
        1 => Idle::Mwait,
        _ => Idle::Spin,
    }
}

fn possible(wanted: Idle, features: Features) -> Idle {
    if wanted == Idle::Mwait && !features.mwait {
        say!("these CPUs have no monitor and mwait: idle ones halt");
        return Idle::Hlt;
    }
    wanted
}

fn set(policy: Idle) {
    let word = (UNUSUAL.load(Ordering::Relaxed) & SEEDED) | (policy as u32) << POLICY;
    UNUSUAL.store(word, Ordering::Relaxed);
}

/// Whether turns are seeded from now on.
pub(crate) fn seeded(on: bool) {
    let word = (UNUSUAL.load(Ordering::Relaxed) & !SEEDED) | (u32::from(on) * SEEDED);
    UNUSUAL.store(word, Ordering::Relaxed);
}

#[inline(always)]
pub(super) fn is_unusual() -> bool {
    UNUSUAL.load(Ordering::Relaxed) != 0
}

/// Rests as is chosen, without a seeded turn meanwhile.
#[cold]
#[inline(never)]
pub(super) fn rest(crit: &Crit) {
    chaos::rest(crit);
    let noted = match idle_policy() {
        Idle::Hlt => halt(crit),
        policy => poll(crit, policy),
    };
    chaos::rested(crit);
    wake(crit, noted);
}

/// Polls the doorbell until something comes, and executes it if it is a message. Nothing is left that was sent passively.
fn poll(crit: &Crit, policy: Idle) -> bool {
    let cpu = here();
    let fabric = ipi::fabric();
    // Executes what was sent before this CPU polled.
    fabric.poll_enter(crit);
    if !cpu.scheduler.with(crit, |s| s.contended(crit)) {
        let is_marked = || fabric.is_marked(cpu.id());
        let is_over = || is_marked() || arch::cpu::is_pending();
        let count = if policy == Idle::Mwait { &cpu.counters.mwaits } else { &cpu.counters.spins };
        count.add(crit, 1);
        cpu.rests.begin();
        while !is_over() {
            if policy == Idle::Mwait {
                // SAFETY: 1. in a critical section handlers only leave marks; 2. `possible` has seen to it.
                unsafe { arch::irq::idle_watching(fabric.watched(crit), is_over) };
            } else {
                arch::irq::pause();
            }
        }
        let silent = is_marked() && !arch::cpu::is_pending();
        cpu.rests.end();
        cpu.counters.silent_wakes.add(crit, u64::from(silent));
    }
    fabric.poll_exit(crit);
    false
}
