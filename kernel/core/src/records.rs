//! Records on their way out: frames for the runner, or lines on the serial port.

use crate::cpu::{self, critical};
use crate::fallible;
use alloc::boxed::Box;
use bench_api::text;
use bench_api::wire::{MAX_BYTES, Record};
use core::fmt::{self, Write};
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

/// Sends a record out.
pub fn emit(record: &Record<'_>) {
    if trace::mode() == Mode::Frames {
        let mut buffer = [0; MAX_BYTES];
        if let Ok(bytes) = record.encode(&mut buffer) {
            send(bytes);
        }
    } else {
        // The serial port takes everything.
        let _ = text::line(&mut Serial, record);
    }
}

fn send(bytes: &[u8]) {
    critical(|_| trace::record(bytes));
    trace::drain();
}

/// What a program sent was no record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoRecord;

/// Sends a record of a program's out, if it is one.
pub(crate) fn from_program(bytes: &[u8]) -> Result<(), NoRecord> {
    let record = Record::decode(bytes).map_err(|_| NoRecord)?;
    if trace::mode() == Mode::Frames {
        send(bytes);
    } else {
        let _ = text::line(&mut Serial, &record);
    }
    Ok(())
}

const _: () = assert!(MAX_BYTES <= trace::RECORD_BYTES);
