//! The machine: everything of the kernel that is x86_64, and all of its assembly but the local APIC's.
//!
//! Below it is only `apic`; above it `kernel-core`, which it calls by the link-time symbols of
//! [`upcall`] and by no other way. It decides nothing: it saves registers, finds the CPU's own
//! block and hands over. Registers, descriptors and flags are the crate `x86_64`'s, but on measured
//! paths. Context law: whatever is reached through `gs` belongs to the CPU that runs, so it is read by
//! one instruction and never cached over a switch ([`cpu`]).
#![no_std]

pub mod acpi;
pub mod boot;
pub mod context;
pub mod cpu;
pub mod features;
pub mod irq;
pub mod layout;
pub mod paging;
pub mod panic;
pub mod power;
pub mod smp;
pub mod stack;
pub mod tables;
pub mod text;
pub mod time;
pub mod trap;
pub mod upcall;
pub mod user;

mod syscall;

pub use context::{Context, switch};
pub use cpu::{CpuHead, cpu_id, crit_enter, crit_exit, current, set_current, this_cpu};
pub use trap::Frame;
