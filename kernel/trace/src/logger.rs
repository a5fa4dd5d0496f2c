//! The defmt side, on the bare machine: global logger, time stamp, and the one transport of the image.

use crate::{CpuLog, Hooks, Mode, Transport};

// SAFETY: these are bound by `hooks!`, which gives exactly these signatures.
unsafe extern "Rust" {
    safe fn _damselfly_trace_cpu() -> usize;
    safe fn _damselfly_trace_tsc() -> u64;
    safe fn _damselfly_trace_irq_save() -> usize;
    safe fn _damselfly_trace_irq_restore(state: usize);
    safe fn _damselfly_trace_relax();
    safe fn _damselfly_trace_write(bytes: &[u8]);
}

/// The machine that `hooks!` bound.
struct Machine;

impl Hooks for Machine {
    fn cpu() -> usize {
        _damselfly_trace_cpu()
    }
    fn tsc() -> u64 {
        _damselfly_trace_tsc()
    }
    fn irq_save() -> usize {
        _damselfly_trace_irq_save()
    }
    fn irq_restore(state: usize) {
        _damselfly_trace_irq_restore(state)
    }
    fn relax() {
        _damselfly_trace_relax()
    }
    fn write(bytes: &[u8]) {
        _damselfly_trace_write(bytes)
    }
}

static TRANSPORT: Transport<Machine> = Transport::new();

/// Gives CPU `cpu` its log; until then its frames are thrown away.
pub fn attach(cpu: usize, log: &'static CpuLog) {
    TRANSPORT.attach(cpu, log);
}

/// Where the output goes.
pub fn mode() -> Mode {
    TRANSPORT.mode()
}

/// Sets where the output goes, once the command line is known.
pub fn set_mode(mode: Mode) {
    TRANSPORT.set_mode(mode);
}

/// Moves all complete frames of all CPUs to the port, if nobody else is doing so.
pub fn drain() {
    TRANSPORT.drain();
}

/// For a panic, after the other CPUs were stopped: moves all there is, whoever held the lock.
pub fn emergency_drain() {
    TRANSPORT.emergency_drain();
}

/// Frames dropped on all CPUs because a ring was full or a frame too long.
pub fn lost() -> u64 {
    TRANSPORT.lost()
}

/// Sends a result record as a frame that is never dropped. At most [`RECORD_BYTES`](crate::RECORD_BYTES).
pub fn record(bytes: &[u8]) {
    debug_assert!(bytes.len() <= crate::RECORD_BYTES);
    TRANSPORT.urgently(|| defmt::println!("record {=[u8]}", bytes));
}

#[defmt::global_logger]
struct Logger;

// SAFETY: (1) `begin` masks interrupts, and CPUs have buffers of their own, so frames of one buffer never overlap;
// (2) what cannot be masked gets another buffer (CpuLog).
unsafe impl defmt::Logger for Logger {
    fn acquire() {
        TRANSPORT.begin();
    }

    unsafe fn flush() {
        TRANSPORT.drain();
    }

    unsafe fn release() {
        TRANSPORT.end();
    }

    unsafe fn write(bytes: &[u8]) {
        TRANSPORT.write(bytes);
    }
}

defmt::timestamp!("{=u16}:{=u64}", _damselfly_trace_cpu() as u16, _damselfly_trace_tsc());
