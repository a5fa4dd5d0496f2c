//! Records as lines of text, for a kernel that was not asked for frames: the table on the serial port.

use crate::stats::{PerOp, Summary};
use crate::wire::Record;
use core::fmt::{Display, Formatter, Result, Write};

/// How far the CPUs' clocks are apart, in words: what boot measured, as [`Record::RunBegin`] has it.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    /// Ticks by which any may differ from the first CPU's.
    pub within: u64,
    /// Ticks by which some surely does; 0 when none does.
    pub apart: u64,
    /// The CPU of which that is said.
    pub cpu: u64,
}

impl Display for Clocks {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Clocks { within, apart, cpu } = self;
        match apart {
            0 => write!(f, "clocks within {within} ticks"),
            _ => write!(
                f,
                "warning: the clock of CPU {cpu} is {apart} ticks or more from CPU 0's. What compares times of two CPUs is left out or wrong"
            ),
        }
    }
}

/// Writes the head of the benchmark table.
pub fn head(to: &mut dyn Write) -> Result {
    writeln!(to, "{:<24} {:>9} {:>9} {:>9} {:>9}  unit", "benchmark", "min", "med", "p99", "max")
}

/// Writes what a reader wants to see of a record; nothing for those that only a program wants.
pub fn line(to: &mut dyn Write, record: &Record<'_>) -> Result {
    match *record {
        Record::RunBegin {
            kernel,
            mode,
            apic,
            cpus,
            cpus_expected,
            seed,
            tick_hz,
            clock_within,
            clock_apart,
            clock_cpu,
            variants,
            ..
        } => {
            let space = if variants.is_empty() { "" } else { "  " };
            writeln!(
                to,
                "damselfly {kernel}  mode {mode}  {apic}  {cpus} of {cpus_expected} CPUs  seed {seed}  tick {} MHz{space}{variants}",
                tick_hz / 1_000_000
            )?;
            if cpus == 1 {
                return Ok(());
            }
            writeln!(to, "{}", Clocks { within: clock_within, apart: clock_apart, cpu: clock_cpu })
        }
        Record::BenchEnd { name, ok, unit, ops, summary, message, .. } => {
            let mut values = [0; 7];
            for (to, value) in values.iter_mut().zip(summary.iter()) {
                *to = value;
            }
            let Summary { min, median, p99, max, .. } = Summary::from_values(values);
            let [min, median, p99, max] =
                [min, median, p99, max].map(|value| PerOp { value, ops: ops.max(1) });
            write!(to, "{name:<24} {min:>9} {median:>9} {p99:>9} {max:>9}  {unit}")?;
            if !ok {
                write!(to, "  FAILED: {message}")?;
            }
            writeln!(to)
        }
        Record::BenchSkip { name, reason } => writeln!(to, "{name:<24} skipped: {reason}"),
        Record::BenchInfo { name, doc, goal, .. } => writeln!(to, "{name:<24} {goal:<4} {doc}"),
        Record::StressEnd { name, seed, ok, trace, message, .. } => {
            writeln!(to, "{name:<24} seed {seed}  {}  {message}  (trace {trace:016x})", verdict(ok))
        }
        Record::StressInfo { name, doc } => writeln!(to, "{name:<24} {doc}"),
        Record::TestEnd { name, ok, message } => {
            writeln!(to, "test {name:<34} {}  {message}", verdict(ok))
        }
        Record::PlayedGroup { group, counts, .. } => {
            write!(to, "{group}:")?;
            counts.iter().try_for_each(|(name, value)| write!(to, " {name} {value}"))?;
            writeln!(to)
        }
        Record::Played { name, cpus, ok, counts, message } => {
            write!(to, "{name} on {cpus} CPUs: {}", verdict(ok))?;
            counts.iter().try_for_each(|(name, value)| write!(to, " {name} {value}"))?;
            writeln!(to, " {message}")
        }
        Record::Log { source, text } => writeln!(to, "{source}: {text}"),
        Record::Thread { name, cpu, state } => writeln!(to, "thread {name} on CPU {cpu}: {state}"),
        Record::RunEnd { ok, lost } => {
            if lost != 0 {
                writeln!(to, "{lost} log frames were lost")?;
            }
            writeln!(to, "RESULT  {}", if ok { "passed" } else { "FAILED" })
        }
        Record::BenchBegin { .. }
        | Record::Samples { .. }
        | Record::Counters { .. }
        | Record::StressBegin { .. }
        | Record::TestBegin { .. }
        | Record::PathBegin {}
        | Record::Order { .. }
        | Record::Timeline { .. }
        | Record::Happened { .. }
        | Record::PathEnd { .. } => Ok(()),
    }
}

fn verdict(ok: bool) -> &'static str {
    if ok { "ok" } else { "FAILED" }
}
