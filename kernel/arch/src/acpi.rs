//! The few ACPI tables that boot needs: which CPUs there are, and how to switch the machine off.

/// One CPU of the MADT that may be started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CpuEntry {
    /// Its local APIC number.
    pub apic_id: u32,
}
