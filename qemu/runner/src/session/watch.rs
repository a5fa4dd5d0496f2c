//! When a run has gone on for too long, or will go on for ever.

use std::time::{Duration, Instant};

use super::Session;
use crate::{
    Limit, Outcome,
    registers::{self, Registers},
};

/// How long nothing must be heard before the CPUs are looked at.
const IDLE: Duration = Duration::from_secs(3);
/// How many looks in a row must show the same halted CPUs.
const LOOKS: u32 = 3;
/// How many glances make a look, and what lies between two of them: room for QEMU to let a timer fire whose time has come.
/// In mode `insns` the clock of a machine at rest jumps to that time, and QEMU answers us before the timer fires.
const GLANCES: u32 = 4;
const GLANCE: Duration = Duration::from_millis(20);
/// How long the machine may take to end once it has been told to.
const FAREWELL: Duration = Duration::from_secs(10);

/// What is known of a CPU that halts: its registers, and what its local APIC says, the last time that its timer was set
/// among it.
type Still = (Registers, String);

/// How often in a row the CPUs were seen halted in the same state.
#[derive(Default)]
pub(super) struct Looks {
    same: u32,
    at: Vec<Still>,
    next: Option<Instant>,
}

impl Session<'_> {
    pub(super) fn out_of_time(&self) -> Option<Outcome> {
        if self.request.gdb {
            return None;
        }
        let wall = self.start.elapsed();
        let limits = &self.request.limits;
        let scaled = |limit: Duration| limit.mul_f64(self.scale).min(limits.cap);
        if let Some(then) = self.panicked {
            // Its last words were heard, and its stacks are read.
            return (then.elapsed() > FAREWELL).then_some(Outcome::Panic);
        }
        if self.report.first_sign.is_none() {
            let boot = limits.boot + limits.boot_each * self.request.cpus;
            return (wall > scaled(boot)).then_some(Outcome::Silent { after: wall });
        }
        let quiet = self.last_sign.elapsed();
        if quiet > scaled(limits.quiet) {
            return Some(Outcome::Hang { after: quiet, limit: Limit::Quiet });
        }
        (wall > scaled(limits.total)).then_some(Outcome::Hang { after: wall, limit: Limit::Total })
    }

    /// Returns whether every CPU halts, stays where it is, and has no timer nor interrupt that could wake it.
    pub(super) fn all_asleep(&mut self) -> bool {
        let now = Instant::now();
        let quiet = now.duration_since(self.last_sign);
        let due = self.looks.next.is_none_or(|next| now >= next);
        if self.request.gdb || quiet < IDLE || !due || self.report.first_sign.is_none() {
            if quiet < IDLE {
                self.looks = Looks::default();
            }
            return false;
        }
        self.looks.next = Some(now + Duration::from_secs(1));
        match self.still() {
            Some(at) if at == self.looks.at => self.looks.same += 1,
            Some(at) => self.looks = Looks { same: 1, at, next: self.looks.next },
            None => self.looks.same = 0,
        }
        self.looks.same >= LOOKS
    }

    /// Returns how all CPUs stand if all halt for good, as far as a look can tell.
    fn still(&mut self) -> Option<Vec<Still>> {
        let first = self.halted()?;
        for _ in 1..GLANCES {
            std::thread::sleep(GLANCE);
            if self.halted()? != first {
                return None;
            }
        }
        Some(first)
    }

    /// Returns how all CPUs stand if all halt at this moment, with nothing that is going to wake one.
    fn halted(&mut self) -> Option<Vec<Still>> {
        let monitor = self.monitor.as_mut()?;
        let text = monitor.human("info registers -a").ok()?;
        let mut at = Vec::new();
        for (cpu, text) in registers::per_cpu(&text) {
            let registers = Registers::parse(text)?;
            if !registers.halted {
                return None;
            }
            let apic = monitor.human(&format!("info lapic {cpu}")).ok()?;
            if wakes(&registers, &apic)? {
                return None;
            }
            at.push((registers, apic));
        }
        Some(at).filter(|at| !at.is_empty())
    }
}

/// Returns whether a CPU that halts is going to wake: its timer counts, or an interrupt waits that a busy host has not let
/// it take yet.
fn wakes(registers: &Registers, apic: &str) -> Option<bool> {
    let waits = registers.interrupts && registers::interrupt_waits(apic)?;
    Some(waits || registers::timer_counts(apic)?)
}
