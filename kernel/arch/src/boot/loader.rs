//! What a PVH loader leaves in memory: the start-info structure and what it points to.
//!
//! Read through the boot tables' direct map (first 4 GiB) and copied: that memory becomes free.

use super::memory::Regions;
use crate::layout::{Phys, PhysRange};

/// Why the loader's words make no sense.
pub(super) type Reason = &'static str;

const MAGIC: u32 = 0x336e_c578;
/// Longest command line that is kept.
const LINE: usize = 2048;
/// The boot tables' reach.
const REACH: u64 = 1 << 32;
/// Start of what boot leaves to the kernel; below are the trampoline and the firmware.
const LOW: u64 = 1 << 20;
/// Memory map: usable RAM, and the two kinds that hold ACPI's data.
const RAM: u32 = 1;
const ACPI: [u32; 2] = [3, 4];
/// RAM ranges that are kept for the direct map.
const RANGES: usize = 32;

#[repr(C)]
#[derive(Clone, Copy)]
struct StartInfo {
    magic: u32,
    version: u32,
    flags: u32,
    modules: u32,
    module_list: u64,
    command_line: u64,
    rsdp: u64,
    memory_map: u64,
    memory_entries: u32,
    reserved: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct MemoryEntry {
    address: u64,
    bytes: u64,
    kind: u32,
    reserved: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct ModuleEntry {
    address: u64,
    bytes: u64,
    command_line: u64,
    reserved: u64,
}

/// Copies of what is needed later.
pub(super) struct Loaded {
    line: [u8; LINE],
    line_bytes: usize,
    module: Option<PhysRange>,
    ranges: [PhysRange; RANGES],
    range_count: usize,
    pub(super) rsdp: u64,
    pub(super) ram_bytes: u64,
}

impl Loaded {
    pub(super) const fn new() -> Self {
        Loaded {
            line: [0; LINE],
            line_bytes: 0,
            module: None,
            ranges: [PhysRange { start: Phys(0), end: Phys(0) }; RANGES],
            range_count: 0,
            rsdp: 0,
            ram_bytes: 0,
        }
    }

    pub(super) fn command_line(&self) -> &str {
        core::str::from_utf8(&self.line[..self.line_bytes]).unwrap_or("").trim()
    }

    pub(super) fn module(&self) -> Option<&'static [u8]> {
        let range = self.module?;
        // SAFETY: the loader's module, taken out of free memory and inside the direct map, for ever.
        Some(unsafe { core::slice::from_raw_parts(range.start.as_ptr(), range.bytes() as usize) })
    }

    /// What the direct map shows.
    pub(super) fn ranges(&self) -> &[PhysRange] {
        &self.ranges[..self.range_count]
    }

    fn keep(&mut self, range: PhysRange) -> Result<(), Reason> {
        *self.ranges.get_mut(self.range_count).ok_or("the memory map has too many ranges")? = range;
        self.range_count += 1;
        Ok(())
    }
}

/// Reads `count` structures at a physical address of the loader's.
fn table<T: Copy>(address: u64, count: usize) -> Result<&'static [T], Reason> {
    let bytes =
        (count as u64).checked_mul(size_of::<T>() as u64).ok_or("a loader's table is too long")?;
    if address == 0
        || !address.is_multiple_of(align_of::<T>() as u64)
        || address.checked_add(bytes).is_none_or(|e| e > REACH)
    {
        return Err("a loader's table lies out of reach");
    }
    // SAFETY:
    // 1. The boot tables map the first 4 GiB; the structures are plain numbers.
    // 2. Nothing writes them while boot, alone, reads.
    Ok(unsafe { core::slice::from_raw_parts(Phys(address).as_ptr(), count) })
}

/// Copies the loader's words and lists the free memory.
pub(super) fn read(start_info: u32, loaded: &mut Loaded, free: &mut Regions) -> Result<(), Reason> {
    let info = table::<StartInfo>(start_info.into(), 1)?[0];
    if info.magic != MAGIC || info.version == 0 {
        return Err("not started by a PVH loader (version 1)");
    }
    loaded.rsdp = info.rsdp;
    for entry in table::<MemoryEntry>(info.memory_map, info.memory_entries as usize)? {
        let end = entry.address.checked_add(entry.bytes).ok_or("the memory map is damaged")?;
        let range = PhysRange { start: Phys(entry.address), end: Phys(end) };
        if entry.kind == RAM {
            loaded.ram_bytes += entry.bytes;
            free.add(range)?;
        }
        if entry.kind == RAM || ACPI.contains(&entry.kind) {
            loaded.keep(range)?;
        }
    }
    free.remove(PhysRange { start: Phys(0), end: Phys(LOW) })?;
    free.remove(super::memory::image())?;
    if info.modules > 0 {
        let module = table::<ModuleEntry>(info.module_list, 1)?[0];
        let end = module.address.checked_add(module.bytes).ok_or("the module list is damaged")?;
        let range = PhysRange { start: Phys(module.address), end: Phys(end) };
        free.remove(range)?;
        loaded.module = Some(range);
    }
    if info.command_line != 0 {
        let bytes = table::<u8>(info.command_line, LINE)?;
        loaded.line_bytes =
            bytes.iter().position(|b| *b == 0).ok_or("the command line is too long")?;
        loaded.line[..loaded.line_bytes].copy_from_slice(&bytes[..loaded.line_bytes]);
    }
    Ok(())
}
