//! Where things are in the address space of a process: below 2 GiB what the kernel and the layer agree on.

/// Page size.
pub const PAGE: u64 = 4096;
/// Lowest address of a program's image.
pub const PROGRAM: u64 = 0x40_0000;
/// The layer's image: read and execute, sealed; [`crate::LayerHeader`] stands at its start.
pub const LAYER: u64 = 0x7000_0000;
/// End of the range from which a system call counts as the layer's.
pub const LAYER_END: u64 = 0x70F0_0000;
/// Page that all CPU processes of a process share.
pub const SHARED: u64 = 0x70F0_0000;
/// Carrier area of CPU process 0.
pub const CARRIERS: u64 = 0x7100_0000;
/// Distance from one carrier area to the next.
pub const CARRIER_STRIDE: u64 = 0x10_0000;
/// Bytes of a carrier area that are mapped: [`crate::Carrier`] at the bottom, the idle and upcall stack above it.
pub const CARRIER_LENGTH: u64 = 0x1_0000;
/// Completion pages of CPU process 0.
pub const COMPLETIONS: u64 = 0x7800_0000;
/// Distance from one set of completion pages to the next.
pub const COMPLETION_STRIDE: u64 = 0x10_0000;
/// End of what lies at fixed places.
pub const FIXED_END: u64 = 0x8000_0000;
/// First address that map messages hand out.
pub const HEAP: u64 = 0x1_0000_0000;
/// First address above what a process may use.
pub const USER_END: u64 = 0x8000_0000_0000 - PAGE;
/// Most CPU processes of a process, as many as the fixed places have room for.
pub const MAX_CPU_PROCESSES: u64 = 64;

/// Flags of a map message for thread stacks: of every `stride` bytes the last `size` are memory, the rest is a guard
/// hole. Both whole pages, below 64 GiB.
#[must_use]
pub const fn stacks(stride: u64, size: u64) -> u64 {
    1 | (stride / PAGE) << 8 | (size / PAGE) << 32
}

/// Carrier area of a CPU process.
#[must_use]
pub const fn carrier(index: u64) -> u64 {
    CARRIERS + index * CARRIER_STRIDE
}

/// Top of the idle and upcall stack of a CPU process.
#[must_use]
pub const fn carrier_stack_top(index: u64) -> u64 {
    carrier(index) + CARRIER_LENGTH
}

/// Completion pages of a CPU process.
#[must_use]
pub const fn completions(index: u64) -> u64 {
    COMPLETIONS + index * COMPLETION_STRIDE
}

static_assertions::const_assert!(carrier(MAX_CPU_PROCESSES) <= COMPLETIONS);
static_assertions::const_assert!(completions(MAX_CPU_PROCESSES) <= FIXED_END);
