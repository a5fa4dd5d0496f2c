//! Descriptor tables of each CPU: segments, task segment, interrupt table, entry registers.
//!
//! [`prepare`] makes them in one frame, on any CPU; [`adopt`] loads them, on their own. The first CPU
//! has a static set ([`EARLY`]) until the kernel adopts a proper one, so that boot's own faults speak.

use core::arch::asm;
use core::cell::UnsafeCell;

use crate::cpu::CpuHead;
use crate::layout::{DEVICES, PAGE};
use crate::paging::FrameSource;
use crate::trap::{stub_address, vector};
use crate::{features, msr, stack, syscall};

/// Selector of ring 0's code.
pub(crate) const KERNEL_CODE: u64 = 0x08;
/// Selector of ring 3's data, as `sysret` computes it.
pub(crate) const USER_DATA: u64 = 0x18 | 3;
/// Selector of ring 3's code, as `sysret` computes it.
pub(crate) const USER_CODE: u64 = 0x20 | 3;
/// Selector of the task segment.
const TASK: u64 = 0x28;
/// `syscall` loads 0x08 and 0x10; `sysret` adds 16 and 8 to 0x10.
const STAR: u64 = KERNEL_CODE << 32 | (0x10 | 3) << 48;
/// Where the local APIC's page is mapped, and what is mapped there.
pub(crate) const APIC_PAGE: usize = DEVICES + APIC_PHYSICAL as usize;
pub(crate) const APIC_PHYSICAL: u64 = 0xfee0_0000;
/// Usable bytes of each of the critical stacks.
const CRITICAL_STACK: usize = 3 * PAGE;
/// Critical vectors in the order of their stacks, from stack 1 on.
const CRITICAL: [u64; 4] =
    [vector::NMI, vector::DOUBLE_FAULT, vector::MACHINE_CHECK, vector::DEBUG];

/// CR4: page size extension, physical address extension, machine check, global pages, FSGSBASE.
const CR4: u64 = 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 16;
const CR4_UMIP: u64 = 1 << 11;
const CR4_SMEP: u64 = 1 << 20;
const CR4_SMAP: u64 = 1 << 21;
/// CR0: protection, no vector unit (emulate), task switched, numeric errors, write protection, paging.
const CR0: u64 = 1 | 1 << 2 | 1 << 3 | 1 << 5 | 1 << 16 | 1 << 31;

/// The hardware's task segment.
#[repr(C, packed(4))]
struct Task {
    reserved: u32,
    stacks: [u64; 3],
    reserved_2: u64,
    critical: [u64; 7],
    reserved_3: u64,
    reserved_4: u16,
    port_map: u16,
}

/// Everything one CPU loads; fills (part of) a frame.
#[repr(C)]
pub(crate) struct CpuTables {
    task: UnsafeCell<Task>,
    segments: UnsafeCell<[u64; 7]>,
    head: &'static CpuHead,
    pub(crate) stack_top: usize,
}

// SAFETY: written by the CPU that prepares it before it is shared; afterwards by its own CPU only
// (`rsp0`, the busy bit), and read by the CPU that starts it (`stack_top`, `head`).
unsafe impl Sync for CpuTables {}

/// What one CPU needs before it can run: made by [`prepare`] on any CPU, used by [`adopt`] on its own.
#[derive(Clone, Copy)]
pub struct Prepared {
    pub(crate) tables: &'static CpuTables,
}

impl Prepared {
    /// The head of the CPU it is for.
    pub fn head(&self) -> &'static CpuHead {
        self.tables.head
    }

    /// The top of its first kernel stack: the one that `core_cpu_main` runs on.
    pub fn stack_top(&self) -> usize {
        self.tables.stack_top
    }
}

impl core::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Prepared")
            .field("head", self.head())
            .field("stack_top", &self.stack_top())
            .finish()
    }
}

/// No frames left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfFrames;

impl CpuTables {
    fn fill(&'static self, stack_top: usize, critical_tops: [usize; 4]) {
        let task = self.task.get();
        let base = task as u64;
        let mut stacks = [0; 7];
        for (stack, top) in stacks.iter_mut().zip(critical_tops) {
            let entry = top - 16;
            // SAFETY: the word above where the CPU will push, in a mapped stack that is not in use.
            unsafe { (entry as *mut &'static CpuHead).write(self.head) };
            *stack = entry as u64;
        }
        let filled = Task {
            reserved: 0,
            stacks: [stack_top as u64, 0, 0],
            reserved_2: 0,
            critical: stacks,
            reserved_3: 0,
            reserved_4: 0,
            port_map: size_of::<Task>() as u16,
        };
        // SAFETY: nobody uses the tables yet.
        unsafe { task.write(filled) };
        let limit = size_of::<Task>() as u64 - 1;
        let segments = [
            0,
            0x00af_9b00_0000_ffff,
            0x00cf_9300_0000_ffff,
            0x00cf_f300_0000_ffff,
            0x00af_fb00_0000_ffff,
            limit | (base & 0xff_ffff) << 16 | 0x89 << 40 | (base >> 24 & 0xff) << 56,
            base >> 32,
        ];
        // SAFETY: as above.
        unsafe { self.segments.get().write(segments) };
        // SAFETY: the address of a field; nothing is read.
        self.head.set_trap_stack_slot(unsafe { &raw mut (*task).stacks }.cast());
    }
}

/// Makes segments, task segment, guarded critical stacks and a first kernel stack for CPU `id`.
pub fn prepare(
    head: &'static CpuHead,
    id: u32,
    apic_id: u32,
    frames: &mut impl FrameSource,
) -> Result<Prepared, OutOfFrames> {
    head.name(id, apic_id);
    // SAFETY: the CPU does not run on its own stacks yet; the first one runs on boot's.
    let stack_top = unsafe { stack::map(id, 0, frames) }?;
    let mut tops = [0; 4];
    for (number, top) in tops.iter_mut().enumerate() {
        // SAFETY: as above.
        *top = unsafe { stack::map_part(id, number + 1, CRITICAL_STACK, frames) }?;
    }
    let place: *mut CpuTables = frames.take().ok_or(OutOfFrames)?.as_ptr();
    let empty = CpuTables {
        task: UnsafeCell::new(Task::EMPTY),
        segments: UnsafeCell::new([0; 7]),
        head,
        stack_top,
    };
    // SAFETY: a frame of our own, larger than the tables.
    unsafe { place.write(empty) };
    // SAFETY: written above; the frame is never given back.
    let tables = unsafe { &*place };
    tables.fill(stack_top, tops);
    Ok(Prepared { tables })
}

const _: () = assert!(size_of::<CpuTables>() <= PAGE);

impl Task {
    const EMPTY: Task = Task {
        reserved: 0,
        stacks: [0; 3],
        reserved_2: 0,
        critical: [0; 7],
        reserved_3: 0,
        reserved_4: 0,
        port_map: 0,
    };
}

/// The local APIC could not be set up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unfit;

/// Makes the CPU that runs this be the prepared one: `gs`, tables, entry registers, local APIC.
/// The critical depth becomes the new head's. Takes effect wholly or, with an error, without APIC.
///
/// # Safety
/// Once for each prepared CPU, on that CPU, interrupts off, the kernel's own page tables active.
pub unsafe fn adopt(prepared: &Prepared) -> Result<(), Unfit> {
    // SAFETY: the caller's facts.
    unsafe { load(prepared.tables) };
    let vectors =
        apic::Vectors { timer: vector::TIMER, error: vector::ERROR, spurious: vector::SPURIOUS };
    // SAFETY:
    // 1. Boot mapped the page before it loaded the kernel's tables.
    // 2. The interrupt table has all vectors (`load`).
    unsafe { apic::init_cpu(APIC_PAGE, vectors) }.map_err(|_| Unfit)?;
    Ok(())
}

/// Loads everything but the local APIC.
unsafe fn load(tables: &'static CpuTables) {
    let segments =
        Pointer { limit: size_of::<[u64; 7]>() as u16 - 1, base: tables.segments.get() as u64 };
    // SAFETY: the filled segment table, which lives for ever.
    unsafe {
        asm!("lgdt [{}]", in(reg) &raw const segments, options(readonly, nostack, preserves_flags))
    };
    // SAFETY: the selectors are those of the table; data segments are not used in long mode.
    unsafe {
        asm!(
            "push {code}", "lea {t}, [rip + 2f]", "push {t}", "retfq", "2:",
            "xor {t:e}, {t:e}", "mov ds, {t:e}", "mov es, {t:e}", "mov ss, {t:e}", "mov fs, {t:e}", "mov gs, {t:e}",
            "ltr {task:x}",
            code = const KERNEL_CODE, t = out(reg) _, task = in(reg) TASK
        )
    };
    let interrupts =
        Pointer { limit: size_of::<Gates>() as u16 - 1, base: INTERRUPTS.0.get() as u64 };
    // SAFETY: the interrupt table, which boot filled.
    unsafe {
        asm!("lidt [{}]", in(reg) &raw const interrupts, options(readonly, nostack, preserves_flags))
    };
    // SAFETY: from here on `gs` is this CPU's head, whatever it was.
    unsafe { msr::write(msr::GS_BASE, core::ptr::from_ref(tables.head) as u64) };
    // SAFETY: no program has a `gs` yet.
    unsafe { msr::write(msr::KERNEL_GS_BASE, 0) };
    load_control();
    load_entries();
}

fn load_control() {
    let has = features::detect();
    let optional = [(has.umip, CR4_UMIP), (has.smep, CR4_SMEP), (has.smap, CR4_SMAP)];
    let cr4 = optional.iter().filter(|(has, _)| *has).fold(CR4, |cr4, (_, bit)| cr4 | bit);
    // SAFETY: required bits that boot checked, and optional ones that this CPU has.
    unsafe { asm!("mov cr4, {}", in(reg) cr4, options(nostack, preserves_flags)) };
    // SAFETY: the mode that we are in, with the vector unit switched off: the kernel is built without it.
    unsafe { asm!("mov cr0, {}", in(reg) CR0, options(nostack, preserves_flags)) };
}

fn load_entries() {
    let entries = [
        (msr::STAR, STAR),
        (msr::LSTAR, syscall::syscall_entry as *const () as u64),
        (msr::CSTAR, syscall::compatibility_entry as *const () as u64),
        (msr::FLAG_MASK, syscall::FLAGS_CLEARED),
    ];
    for (register, value) in entries {
        // SAFETY: entry registers, set to the entries that are made for them.
        unsafe { msr::write(register, value) };
    }
}

/// Takes this CPU's interrupt table away and traps: the processor finds no handler and shuts down.
///
/// # Safety
/// The machine is meant to end here.
pub(crate) unsafe fn lose_interrupts() {
    let nothing = Pointer { limit: 0, base: 0 };
    // SAFETY: the caller's word.
    unsafe { asm!("lidt [{}]", "int3", in(reg) &raw const nothing, options(readonly, nostack)) };
}

/// Operand of `lgdt` and `lidt`.
#[repr(C, packed)]
struct Pointer {
    limit: u16,
    base: u64,
}

type Gates = [[u64; 2]; 256];

/// The interrupt table of all CPUs; filled once, by the first.
struct InterruptTable(UnsafeCell<Gates>);

// SAFETY: written by `fill_interrupts`, before a second CPU runs; read by hardware only.
unsafe impl Sync for InterruptTable {}

static INTERRUPTS: InterruptTable = InterruptTable(UnsafeCell::new([[0; 2]; 256]));

/// Fills the interrupt table.
///
/// # Safety
/// Once, before any CPU loads it.
unsafe fn fill_interrupts() {
    /// Present interrupt gate, reached from ring 0 only.
    const GATE: u64 = 0x8e << 40;
    /// Ring 3 may use it by instruction.
    const RING_3: u64 = 3 << 45;
    let mut gates: Gates = [[0; 2]; 256];
    for (number, gate) in gates.iter_mut().enumerate() {
        let address = stub_address(number as u8) as u64;
        let own_stack =
            CRITICAL.iter().position(|c| *c == number as u64).map_or(0, |at| at as u64 + 1);
        let ring =
            if matches!(number as u64, vector::BREAKPOINT | vector::FOREIGN) { RING_3 } else { 0 };
        let low = address & 0xffff
            | KERNEL_CODE << 16
            | own_stack << 32
            | GATE
            | ring
            | (address >> 16 & 0xffff) << 48;
        *gate = [low, address >> 32];
    }
    // SAFETY: the caller's word.
    unsafe { INTERRUPTS.0.get().write(gates) };
}

#[repr(C, align(16))]
struct EarlyStacks(UnsafeCell<[[u8; CRITICAL_STACK]; 4]>);

// SAFETY: the first CPU's hardware alone writes them.
unsafe impl Sync for EarlyStacks {}

static EARLY_STACKS: EarlyStacks = EarlyStacks(UnsafeCell::new([[0; CRITICAL_STACK]; 4]));
static EARLY_HEAD: CpuHead = CpuHead::new();
static EARLY: CpuTables = CpuTables {
    task: UnsafeCell::new(Task::EMPTY),
    segments: UnsafeCell::new([0; 7]),
    head: &EARLY_HEAD,
    stack_top: 0,
};

/// Gives the first CPU tables to boot with.
///
/// # Safety
/// Once, by boot, before anything else of this module, interrupts off.
pub(crate) unsafe fn adopt_early() {
    EARLY_HEAD.name(0, 0);
    let stacks = EARLY_STACKS.0.get() as usize;
    EARLY.fill(0, [1, 2, 3, 4].map(|n| stacks + n * CRITICAL_STACK));
    // SAFETY: the caller's word.
    unsafe { fill_interrupts() };
    // SAFETY: filled above.
    unsafe { load(&EARLY) };
}

/// Makes `stac` and `clac` do nothing: for a CPU without SMAP, where they are no instructions.
///
/// # Safety
/// Boot only: the image is still writable, and no listed place is being executed.
pub(crate) unsafe fn patch_smap() {
    /// A no-operation of the same three bytes.
    const NOTHING: [u8; 3] = [0x0f, 0x1f, 0x00];
    unsafe extern "C" {
        static __smap_start: *mut [u8; 3];
        static __smap_end: *mut [u8; 3];
    }
    let start = &raw const __smap_start;
    let count = ((&raw const __smap_end) as usize - start as usize) / size_of::<*mut u8>();
    // SAFETY: the linker script puts the symbols around the list.
    let places = unsafe { core::slice::from_raw_parts(start, count) };
    for place in places {
        // SAFETY: the caller's word; each place is one of the two instructions.
        unsafe { place.write(NOTHING) };
    }
}
