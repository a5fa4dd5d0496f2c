//! The few ACPI tables that boot needs: which CPUs there are, the timer to calibrate against, and how
//! to switch the machine off.
//!
//! Runs once, on the boot tables, which show the first 4 GiB. Tables are byte sequences that may lie
//! unaligned and are not trusted to be well formed: every read is checked against the table's length.

use crate::layout::Phys;
use crate::power;

/// A CPU that may be started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CpuEntry {
    /// Its local APIC's number.
    pub apic_id: u32,
}

/// What the tables say.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Findings {
    /// I/O port of the power management timer, zero if there is none.
    pub(crate) timer_port: u16,
}

/// Bytes of a table's header.
const HEADER: usize = 36;
/// The boot tables' reach.
const REACH: u64 = 1 << 32;

/// A table in physical memory.
#[derive(Clone, Copy)]
struct Table(&'static [u8]);

impl Table {
    /// Looks at the table at a physical address, if it lies within reach and its length makes sense.
    fn at(address: u64) -> Option<Table> {
        let head = memory(address, HEADER)?;
        let bytes = Table(head).u32(4)? as usize;
        (bytes >= HEADER).then(|| memory(address, bytes).map(Table)).flatten()
    }

    fn signature(self) -> &'static [u8] {
        &self.0[..4]
    }

    fn bytes<const N: usize>(self, offset: usize) -> Option<[u8; N]> {
        self.0.get(offset..offset.checked_add(N)?)?.try_into().ok()
    }

    fn u8(self, offset: usize) -> Option<u8> {
        self.0.get(offset).copied()
    }

    fn u32(self, offset: usize) -> Option<u32> {
        self.bytes(offset).map(u32::from_le_bytes)
    }

    fn u64(self, offset: usize) -> Option<u64> {
        self.bytes(offset).map(u64::from_le_bytes)
    }
}

fn memory(address: u64, bytes: usize) -> Option<&'static [u8]> {
    let end = address.checked_add(bytes as u64)?;
    if address == 0 || end > REACH {
        return None;
    }
    // SAFETY:
    // 1. The boot tables map the first 4 GiB at the direct map's place.
    // 2. The firmware's tables do not change while boot, alone, reads them.
    Some(unsafe { core::slice::from_raw_parts(Phys(address).as_ptr::<u8>(), bytes) })
}

/// Walks the tables below the root pointer at `rsdp` (zero: looks for it where the BIOS keeps it).
/// Calls `cpu` for each usable CPU.
pub(crate) fn read(rsdp: u64, mut cpu: impl FnMut(CpuEntry)) -> Findings {
    let mut findings = Findings::default();
    let Some(root) = root_pointer(rsdp) else { return findings };
    let (table, width) = match (root.u8(15), root.u64(24).and_then(Table::at)) {
        (Some(2..), Some(table)) => (Some(table), 8),
        _ => (root.u32(16).and_then(|address| Table::at(address.into())), 4),
    };
    let Some(table) = table else { return findings };
    for offset in (HEADER..table.0.len()).step_by(width) {
        let address = if width == 8 { table.u64(offset) } else { table.u32(offset).map(u64::from) };
        let Some(entry) = address.and_then(Table::at) else { continue };
        match entry.signature() {
            b"APIC" => cpus(entry, &mut cpu),
            b"FACP" => power_management(entry, &mut findings),
            _ => {}
        }
    }
    findings
}

fn root_pointer(rsdp: u64) -> Option<Table> {
    let at = |address| memory(address, HEADER).filter(|m| m.starts_with(b"RSD PTR ")).map(Table);
    match rsdp {
        0 => (0xe_0000..0x10_0000).step_by(16).find_map(at),
        _ => at(rsdp),
    }
}

/// The MADT: entries of type 0 (8-bit numbers) and 9 (32-bit numbers).
fn cpus(table: Table, cpu: &mut impl FnMut(CpuEntry)) {
    let mut offset = HEADER + 8;
    while let (Some(kind), Some(bytes @ 2..)) = (table.u8(offset), table.u8(offset + 1)) {
        let (apic_id, flags) = match kind {
            0 => (table.u8(offset + 3).map(u32::from), table.u32(offset + 4)),
            9 => (table.u32(offset + 4), table.u32(offset + 8)),
            _ => (None, None),
        };
        if let (Some(apic_id), Some(flags)) = (apic_id, flags)
            && flags & 1 == 1
        {
            cpu(CpuEntry { apic_id });
        }
        offset += bytes as usize;
    }
}

/// The FADT: the timer, the control port, and by way of the DSDT the value that switches off.
fn power_management(table: Table, findings: &mut Findings) {
    findings.timer_port = table.u32(76).map_or(0, |port| port as u16);
    let control = table.u32(64).map_or(0, |port| port as u16);
    let definitions =
        table.u64(140).filter(|a| *a != 0).or(table.u32(40).map(u64::from)).and_then(Table::at);
    if control != 0 {
        let sleep_type = definitions.and_then(soft_off).unwrap_or(0);
        power::set_switch(control, sleep_type);
    }
}

/// Finds the first element of the package `_S5_` in the definition block's byte code.
fn soft_off(table: Table) -> Option<u8> {
    const PACKAGE: u8 = 0x12;
    const BYTE: u8 = 0x0a;
    let name = table.0.windows(5).position(|w| w[..4] == *b"_S5_" && w[4] == PACKAGE)?;
    let length = name + 5;
    let more_length_bytes = usize::from(table.u8(length)? >> 6);
    let element = length + 1 + more_length_bytes + 1;
    match table.u8(element)? {
        BYTE => table.u8(element + 1),
        constant => Some(constant & 1),
    }
}
