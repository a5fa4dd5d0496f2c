//! From PVH's 32-bit entry to `core_main`.

use crate::acpi::CpuEntry;
use crate::layout::PhysRange;

/// What the kernel starts with.
#[derive(Debug)]
pub struct BootInfo {
    /// Free RAM in rising order: without the image, boot's tables, and the first MiB. Page-aligned.
    pub memory: &'static [PhysRange],
    /// All RAM, usable or not, in bytes.
    pub ram_bytes: u64,
    /// Kernel command line.
    pub command_line: &'static str,
    /// CPUs of the machine; the first is the one that runs.
    pub cpus: &'static [CpuEntry],
    /// Enabled CPUs of the machine beyond what `cpus` can hold.
    pub cpus_left_out: usize,
    /// What boot found the CPU to have.
    pub features: crate::features::Features,
}
