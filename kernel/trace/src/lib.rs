//! The kernel's log and result transport: defmt frames in per-CPU lockless buffers, drained to one byte port.
//!
//! A frame is built in a buffer of its CPU and becomes visible only when complete; one drainer at a time moves
//! frames to the port ([`Transport`], [`Ring`]). Above: whatever logs. Below: the machine, through [`Hooks`].
//!
//! Context law: a frame is built with interrupts off on one CPU; what cannot be masked (NMI, machine check, a
//! fault inside a frame) gets a buffer of its own. A full ring drops log frames whole and counts them; a frame
//! sent with `record` is never dropped: its CPU drains until there is room.
#![no_std]

#[cfg(test)]
extern crate std;

mod cpu_log;
mod hooks;
#[cfg(target_os = "none")]
mod logger;
mod ring;
mod sync;
mod transport;

pub use cpu_log::CpuLog;
pub use hooks::Hooks;
#[cfg(target_os = "none")]
pub use logger::{attach, drain, emergency_drain, lost, mode, record, set_mode};
pub use ring::Ring;
pub use transport::{Mode, Transport};

/// Bytes of the ring of one CPU.
pub const RING_BYTES: usize = 32 * 1024;
/// Longest frame, after encoding; a longer one is dropped whole and counted.
pub const FRAME_BYTES: usize = 1024;
/// Most bytes of one `record`: what fits into a frame with header and encoding overhead.
pub const RECORD_BYTES: usize = 768;
