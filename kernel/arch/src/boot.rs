//! From PVH's 32-bit entry to `core_main`.
//!
//! [`entry`] reaches long mode on tables that allow everything; [`start`] refuses a CPU that lacks
//! something, copies what the loader left ([`loader`]), makes the kernel's own tables ([`memory`]) and
//! measures the clocks. Context law: one CPU, interrupts off, no lock needed.

pub(crate) mod entry;
mod loader;
mod memory;

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;

use percpu::MAX_CPUS;

use crate::acpi;
pub use crate::acpi::CpuEntry;
use crate::features::{self, Features};
use crate::layout::PhysRange;
use crate::power::{self, Exit};
use crate::trap::vector;
use crate::{paging, tables, text, time, trap, upcall};

/// What the kernel starts with.
#[derive(Debug)]
pub struct BootInfo {
    /// Free RAM in rising order: without the image, boot's tables, modules, and the first MiB.
    /// Whole pages.
    pub memory: &'static [PhysRange],
    /// All RAM that the loader reported as usable, in bytes.
    pub ram_bytes: u64,
    /// Kernel command line; empty if it was not UTF-8.
    pub command_line: &'static str,
    /// Files that the loader put beside the kernel (`-initrd`), in the direct map.
    pub module: Option<&'static [u8]>,
    /// CPUs of the machine, [`MAX_CPUS`] at most; the first is the one that runs.
    pub cpus: &'static [CpuEntry],
    /// Enabled CPUs of the machine that `cpus` has no room for.
    pub cpus_left_out: usize,
    /// What every CPU has (one that differs from the first is not started).
    pub features: Features,
}

/// What outlives boot, filled by [`start`].
struct Store {
    memory: memory::Regions,
    loader: loader::Loaded,
    cpus: [CpuEntry; MAX_CPUS],
    info: MaybeUninit<BootInfo>,
}

struct BootCell(UnsafeCell<Store>);

// SAFETY: written by `start`, on the only CPU that runs, before anybody else can reach it.
unsafe impl Sync for BootCell {}

static STORE: BootCell = BootCell(UnsafeCell::new(Store {
    memory: memory::Regions::new(),
    loader: loader::Loaded::new(),
    cpus: [CpuEntry { apic_id: 0 }; MAX_CPUS],
    info: MaybeUninit::uninit(),
}));

static FEATURES: FeatureCell = FeatureCell(UnsafeCell::new(Features::NONE));

struct FeatureCell(UnsafeCell<Features>);

// SAFETY: as `BootCell`.
unsafe impl Sync for FeatureCell {}

/// Returns what the first CPU has.
pub fn features() -> Features {
    // SAFETY: written once, by `start`, before a second CPU runs.
    unsafe { *FEATURES.0.get() }
}

/// Prints why the kernel does not run here, and leaves.
fn refuse(reason: core::fmt::Arguments<'_>) -> ! {
    text::print_anyway(format_args!("damselfly: {reason}\n"));
    power::exit(Exit::Boot)
}

fn check_cpu() {
    for name in features::missing() {
        text::print_anyway(format_args!("damselfly: this CPU lacks {name}\n"));
    }
    if features::missing().next().is_some() {
        refuse(format_args!("cannot run on this CPU; start QEMU with -cpu max"));
    }
}

/// The first Rust of the first CPU: on the boot tables and the boot stack.
extern "C" fn start(start_info: u32) -> ! {
    text::init();
    check_cpu();
    // SAFETY: once, first of all.
    unsafe { tables::adopt_early() };
    // SAFETY: once, on the only CPU; nobody else has a reference.
    let store = unsafe { &mut *STORE.0.get() };
    let found = features::detect();
    // SAFETY: as above.
    unsafe { *FEATURES.0.get() = found };
    if let Err(reason) = loader::read(start_info, &mut store.loader, &mut store.memory) {
        refuse(format_args!("{reason}"));
    }
    let running = apic_id();
    let (mut count, mut left_out) = (1, 0);
    store.cpus[0] = CpuEntry { apic_id: running };
    let findings = acpi::read(store.loader.rsdp, |cpu| match store.cpus.get_mut(count) {
        _ if cpu.apic_id == running => {}
        Some(place) => {
            *place = cpu;
            count += 1;
        }
        None => left_out += 1,
    });
    if !found.smap {
        // SAFETY: the image is writable until the next step; no copy has run.
        unsafe { trap::patch_smap() };
    }
    memory::build(&mut store.memory, &store.loader, found);
    paging::activate_kernel();
    start_clocks(findings.timer_port);
    let info = store.info.write(BootInfo {
        memory: store.memory.free(),
        ram_bytes: store.loader.ram_bytes,
        command_line: store.loader.command_line(),
        module: store.loader.module(),
        cpus: &store.cpus[..count],
        cpus_left_out: left_out,
        features: found,
    });
    upcall::core_main(info)
}

/// This CPU's APIC number, as `cpuid` knows it before the APIC is set up.
fn apic_id() -> u32 {
    use core::arch::x86_64::{__cpuid, __cpuid_count};
    let short = __cpuid(1).ebx >> 24;
    let topology = (__cpuid(0).eax >= 0xb).then(|| __cpuid_count(0xb, 0));
    topology.filter(|t| t.ebx != 0).map_or(short, |t| t.edx)
}

fn start_clocks(timer_port: u16) {
    apic::mask_pic();
    let vectors =
        apic::Vectors { timer: vector::TIMER, error: vector::ERROR, spurious: vector::SPURIOUS };
    // SAFETY:
    // 1. `memory::build` mapped the page.
    // 2. `adopt_early` filled the interrupt table.
    if unsafe { apic::init_cpu(tables::APIC_PAGE, vectors) }.is_err() {
        refuse(format_args!("the local APIC cannot be set up"));
    }
    time::calibrate(timer_port);
}
