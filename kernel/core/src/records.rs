//! Records on their way out: frames for the runner, or lines on the serial port.

use crate::cpu::{self, critical};
use crate::{fallible, order, timeline};
use alloc::boxed::Box;
use bench_api::text;
use bench_api::wire::{MAX_BYTES, Record};
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use trace::{CpuLog, Hooks, Mode};

/// This machine, for the transport of frames.
struct Port;

impl Hooks for Port {
    fn cpu() -> usize {
        arch::cpu_id() as usize
    }

    fn tsc() -> u64 {
        arch::time::tsc()
    }

    fn irq_save() -> usize {
        let on = arch::irq::enabled();
        arch::irq::disable();
        usize::from(on)
    }

    fn irq_restore(state: usize) {
        if state != 0 {
            // SAFETY: they were on when `irq_save` was called, on this CPU.
            unsafe { arch::irq::enable() };
        }
    }

    fn relax() {
        arch::irq::pause();
    }

    fn write(bytes: &[u8]) {
        arch::text::write_frames(bytes);
    }
}

trace::hooks!(Port);

/// Lines on the serial port.
struct Serial;

impl Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        arch::text::print(format_args!("{text}"));
        Ok(())
    }
}

/// Gives this CPU a log; without memory its frames are thrown away, and counted.
pub(crate) fn attach() {
    static EMPTY: CpuLog = CpuLog::new();
    // SAFETY: nobody else names the static.
    if let Some(log) = unsafe { fallible::boxed_copy(&EMPTY) } {
        trace::attach(cpu::here().id().index(), Box::leak(log));
    }
}

/// Whether a runner watches who writes down instructions ([`Record::PathBegin`]).
static WATCHED: AtomicBool = AtomicBool::new(false);

/// Says whether a runner watches who writes down instructions.
pub fn set_watched(watched: bool) {
    WATCHED.store(watched, Relaxed);
}

/// Sends a record out.
pub fn emit(record: &Record<'_>) {
    if let Record::BenchBegin { name }
    | Record::StressBegin { name, .. }
    | Record::TestBegin { name } = record
    {
        timeline::begun(name);
    }
    if trace::mode() == Mode::Frames {
        let mut buffer = [0; MAX_BYTES];
        if let Ok(bytes) = record.encode(&mut buffer) {
            send(record, bytes);
        }
    } else {
        // The serial port takes everything.
        let _ = text::line(&mut Serial, record);
    }
}

/// Where records go out as text: the head of the table of benchmarks.
pub fn table_head() {
    if trace::mode() != Mode::Frames {
        let _ = text::head(&mut Serial);
    }
}

fn send(record: &Record<'_>, bytes: &[u8]) {
    let watched = WATCHED.load(Relaxed);
    // Sending is no part of the path: it begins after its first record, and ends before its last.
    if watched && matches!(record, Record::PathEnd { .. }) {
        arch::power::toggle_path();
    }
    critical(|_| trace::record(bytes));
    trace::drain();
    if watched && matches!(record, Record::PathBegin {}) {
        arch::power::toggle_path();
    }
}

/// What a program sent was no record, or not one for a program to send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoRecord;

/// Sends a record of a program's out, if it is one about its benchmarks: a program speaks for itself alone.
pub(crate) fn from_program(bytes: &[u8]) -> Result<(), NoRecord> {
    let record = Record::decode(bytes).map_err(|_| NoRecord)?;
    match record {
        Record::Order { digest } => order::note_digest(digest),
        Record::BenchBegin { .. }
        | Record::Samples { .. }
        | Record::Counters { .. }
        | Record::BenchEnd { .. }
        | Record::BenchSkip { .. }
        | Record::BenchInfo { .. }
        | Record::PathBegin {}
        | Record::PathEnd { .. } => {
            if trace::mode() == Mode::Frames {
                send(&record, bytes);
            } else {
                let _ = text::line(&mut Serial, &record);
            }
        }
        Record::RunBegin { .. }
        | Record::RunEnd { .. }
        | Record::StressBegin { .. }
        | Record::StressEnd { .. }
        | Record::StressInfo { .. }
        | Record::TestBegin { .. }
        | Record::TestEnd { .. }
        | Record::Log { .. }
        | Record::Timeline { .. }
        | Record::Happened { .. }
        | Record::PlayedGroup { .. }
        | Record::Played { .. }
        | Record::Thread { .. } => return Err(NoRecord),
    }
    Ok(())
}

static_assertions::const_assert!(MAX_BYTES <= trace::RECORD_BYTES);
