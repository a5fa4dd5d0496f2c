//! The process: its end, its CPU processes, its arguments, time, figures.

use crate::call::{self, send};
use abi::{Failure, Input, Output, Shared, map, request};

/// Ends the process on all its CPUs.
pub fn exit(status: i64) -> ! {
    loop {
        // It does not return; should it be refused, there is nothing else to do.
        let _ = send(&request::Exit { status });
    }
}

/// Adds a CPU process on `cpu`; its index.
pub fn rfork(cpu: u64) -> Result<u8, Failure> {
    send(&request::Rfork { cpu }).map(|forked| forked.index as u8)
}

/// CPUs of the machine.
#[must_use]
pub fn cpus() -> u64 {
    send(&request::Info {}).map_or(1, |info| info.cpus)
}

/// Index of the CPU process that the calling thread belongs to.
#[must_use]
pub fn index() -> u64 {
    send(&request::Info {}).map_or(0, |info| info.index)
}

/// A word that the process was started with; 0 where there is none.
#[must_use]
pub fn argument(index: usize) -> u64 {
    let shared = map::SHARED as *const Shared;
    // SAFETY: the kernel maps the page and fills it before the first entry; nobody changes the arguments.
    let arguments = unsafe { &(*shared).arguments };
    arguments.get(index).copied().unwrap_or(0)
}

/// Nanoseconds since boot, without an entry into the kernel.
#[must_use]
pub fn clock() -> u64 {
    // SAFETY: no arguments.
    unsafe { call::clock() }
}

/// Asks for preemption every so many nanoseconds of this CPU process; 0 for none.
pub fn set_tick(interval: u64) -> Result<(), Failure> {
    send(&request::SetTick { interval }).map(drop)
}

/// Hands a benchmark record to the runner.
pub fn record(bytes: &[u8]) -> Result<(), Failure> {
    send(&request::Record { bytes: Input::of(bytes) }).map(drop)
}

/// Writes the kernel's figures, those whose bit is in `wanted`, as a list; the bytes needed.
pub fn stats(into: &mut [u8], wanted: u64) -> Result<usize, Failure> {
    send(&request::Stats { into: Output::of(into), wanted }).map(|stats| stats.needed as usize)
}
