//! What a check declares, and the slice in which the linker collects them.

use alloc::string::String;
use alloc::vec::Vec;
use kernel_core::faults::{self, Fault, Set};
use lwkt_sched::MayBlock;
use servers::options::{Clock, Options};

/// What sort of check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// One short check.
    Test,
    /// Many steps in an order that a seed makes.
    Stress,
}

/// A check, as declared by [`check!`](crate::registry::check).
pub(crate) struct Check {
    /// `kernel/name`, unique in its kind.
    pub name: &'static str,
    /// One sentence: what it shows.
    pub doc: &'static str,
    /// What sort.
    pub kind: Kind,
    /// Its steps.
    pub run: fn(&mut Run<'_>, &mut MayBlock) -> Verdict,
}

/// One line for the reader: what was shown, or what failed.
pub(crate) type Verdict = Result<String, String>;

/// All checks linked into this image, in link order.
#[linkme::distributed_slice]
pub(crate) static CHECKS: [Check];

/// What a running check is told, and what it counts.
pub(crate) struct Run<'a> {
    /// Of the run.
    pub options: &'a Options<'a>,
    counts: Vec<(&'static str, u64)>,
    /// It does less than a full one, since this mode is slow at it.
    reduced: bool,
    /// Faults that it can bear.
    faults: Set,
}

/// The part of a slow check that runs where CPUs run at the same time.
const EIGHTH: u64 = 8;

impl<'a> Run<'a> {
    pub(crate) fn new(options: &'a Options<'a>) -> Self {
        Self { options, counts: Vec::with_capacity(24), reduced: false, faults: Set::ALL }
    }

    /// Notes a number for the record.
    pub fn count(&mut self, name: &'static str, value: u64) {
        self.counts.push((name, value));
    }

    pub(crate) fn counts(&self) -> &[(&'static str, u64)] {
        &self.counts
    }

    /// How many steps this run takes where a full one takes `full`: a twentieth when quick.
    pub fn steps(&self, full: u64) -> u64 {
        if self.options.quick { (full / 20).max(1) } else { full }
    }

    /// As [`steps`](Self::steps), of what is slow where the CPUs run at the same time: an emulated one that waits for another
    /// takes the host from it, and so does one that a fault or a timer interrupts. There it is an eighth, and the verdict
    /// says so.
    pub fn slow_steps(&mut self, full: u64) -> u64 {
        if self.options.clock == Clock::Insns {
            return self.steps(full);
        }
        self.reduced = true;
        (self.steps(full) / EIGHTH).max(1)
    }

    /// From now on no fault of this sort strikes this check: what it shows does not hold with it, or it makes such faults itself.
    pub fn is_spared(&mut self, fault: Fault) {
        self.faults = self.faults.without(fault);
    }

    /// These faults may strike from now on, where the check bears them, in a kernel that was built for them.
    pub fn begin_faults(&self, sorts: Set) {
        faults::begin(self.options.seed, sorts.and(self.faults));
    }

    /// What the verdict has to say about the size of this run.
    pub(crate) fn size(&self) -> &'static str {
        if self.reduced { ", an eighth of mode insns" } else { "" }
    }

    /// The seed of the turns. Where CPUs run at the same time the host makes the order, and a timer that fires every few
    /// microseconds would leave an emulated CPU time for nothing else: no turns there.
    pub fn turns(&self) -> u64 {
        if self.options.clock == Clock::Insns { self.options.seed } else { 0 }
    }

    /// Nanoseconds without any progress after which threads are taken to be stuck. In mode `insns` that many
    /// instructions; elsewhere real time, of a host that may be busy.
    pub fn patience(&self) -> u64 {
        if self.options.clock == Clock::Insns { 100_000_000 } else { 30_000_000_000 }
    }
}

/// Declares and registers a check; no list to edit.
macro_rules! check {
    (name: $name:expr, doc: $doc:expr, kind: $kind:ident, run: $run:expr $(,)?) => {
        const _: () = bench_api::wire::fits($doc);

        #[linkme::distributed_slice($crate::registry::CHECKS)]
        static CHECK: $crate::registry::Check = $crate::registry::Check {
            name: $name,
            doc: $doc,
            kind: $crate::registry::Kind::$kind,
            run: $run,
        };
    };
}
pub(crate) use check;

/// Ends a check with a line unless something holds.
macro_rules! ensure {
    ($holds:expr, $($line:tt)*) => {
        if !$holds {
            return Err(alloc::format!($($line)*));
        }
    };
}
pub(crate) use ensure;
