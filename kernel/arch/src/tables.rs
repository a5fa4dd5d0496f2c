//! Descriptor tables of each CPU: segments, task segment, entry registers; and the interrupt table of all.
//!
//! [`prepare`] makes them in one frame, on any CPU; [`adopt`] loads them, on their own. The first CPU
//! has a static set ([`EARLY`]) until the kernel adopts a proper one, so that boot's own faults speak.

mod interrupts;

pub(crate) use interrupts::lose as lose_interrupts;

use core::cell::UnsafeCell;

use static_assertions::const_assert;
use x86_64::PrivilegeLevel::{Ring0, Ring3};
use x86_64::VirtAddr;
use x86_64::instructions::tables::load_tss;
use x86_64::registers::control::{Cr0, Cr0Flags, Cr4, Cr4Flags};
use x86_64::registers::model_specific::{GsBase, KernelGsBase, LStar, Msr, SFMask, Star};
use x86_64::registers::segmentation::{CS, DS, ES, FS, GS, SS, Segment};
use x86_64::structures::gdt::{Descriptor, GlobalDescriptorTable, SegmentSelector};
use x86_64::structures::tss::TaskStateSegment;

use crate::cpu::CpuHead;
use crate::layout::{DEVICES, PAGE};
use crate::paging::{FrameSource, OutOfFrames};
use crate::trap::vector;
use crate::{features, stack, syscall};

/// Ring 0's segments and ring 3's, in the order that `syscall` and `sysret` count on, and the task segment.
const KERNEL_CODE: SegmentSelector = SegmentSelector::new(1, Ring0);
const KERNEL_DATA: SegmentSelector = SegmentSelector::new(2, Ring0);
const USER_DATA_SEGMENT: SegmentSelector = SegmentSelector::new(3, Ring3);
const USER_CODE_SEGMENT: SegmentSelector = SegmentSelector::new(4, Ring3);
const TASK: SegmentSelector = SegmentSelector::new(5, Ring0);
/// Entries of a segment table: none, those above; the task segment takes two.
const SEGMENTS: usize = 7;

/// Selector of ring 3's data, as a frame holds it.
pub(crate) const USER_DATA: u64 = USER_DATA_SEGMENT.0 as u64;
/// Selector of ring 3's code, as a frame holds it.
pub(crate) const USER_CODE: u64 = USER_CODE_SEGMENT.0 as u64;
/// Where the local APIC's page is mapped, and what is mapped there.
pub(crate) const APIC_PAGE: usize = DEVICES + APIC_PHYSICAL as usize;
pub(crate) const APIC_PHYSICAL: u64 = 0xfee0_0000;
/// Usable bytes of each of the critical stacks.
const CRITICAL_STACK: usize = 3 * PAGE;
/// Critical vectors in the order of their stacks, from stack 1 on.
const CRITICAL: [u64; 4] =
    [vector::NMI, vector::DOUBLE_FAULT, vector::MACHINE_CHECK, vector::DEBUG];

/// What every CPU has and uses.
const CR4: Cr4Flags = Cr4Flags::PAGE_SIZE_EXTENSION
    .union(Cr4Flags::PHYSICAL_ADDRESS_EXTENSION)
    .union(Cr4Flags::MACHINE_CHECK_EXCEPTION)
    .union(Cr4Flags::PAGE_GLOBAL)
    .union(Cr4Flags::FSGSBASE);
/// The mode that boot left us in, with the vector unit switched off: the kernel is built without it.
const CR0: Cr0Flags = Cr0Flags::PROTECTED_MODE_ENABLE
    .union(Cr0Flags::EMULATE_COPROCESSOR)
    .union(Cr0Flags::TASK_SWITCHED)
    .union(Cr0Flags::NUMERIC_ERROR)
    .union(Cr0Flags::WRITE_PROTECT)
    .union(Cr0Flags::PAGING);
/// Where `syscall` of 32-bit code goes.
const CSTAR: u32 = 0xc000_0083;

/// Everything one CPU loads; fills (part of) a frame.
#[repr(C)]
pub(crate) struct CpuTables {
    task: UnsafeCell<TaskStateSegment>,
    segments: UnsafeCell<GlobalDescriptorTable<SEGMENTS>>,
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

    /// The same for another CPU, which gets the number of one that did not start: its stacks and tables, as good as new.
    ///
    /// # Safety
    /// The CPU that it was for is off: it had INIT, and nothing since.
    pub unsafe fn again(self, apic_id: u32) -> Prepared {
        let (head, id) = (self.head(), self.head().id());
        head.name(id, apic_id);
        self.tables.fill(core::array::from_fn(|number| stack::top(id, number + 1)));
        self
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

impl CpuTables {
    const fn empty(head: &'static CpuHead, stack_top: usize) -> Self {
        Self {
            task: UnsafeCell::new(TaskStateSegment::new()),
            segments: UnsafeCell::new(GlobalDescriptorTable::empty()),
            head,
            stack_top,
        }
    }

    fn fill(&'static self, critical_tops: [usize; CRITICAL.len()]) {
        let mut task = TaskStateSegment::new();
        task.privilege_stack_table[0] = VirtAddr::new(self.stack_top as u64);
        for (number, top) in critical_tops.into_iter().enumerate() {
            let entry = top - 16;
            // SAFETY: the word above where the CPU will push, in a mapped stack that is not in use.
            unsafe { (entry as *mut &'static CpuHead).write(self.head) };
            task.interrupt_stack_table[number] = VirtAddr::new(entry as u64);
        }
        let place = self.task.get();
        // SAFETY: nobody uses the tables yet.
        unsafe { place.write(task) };
        // SAFETY: the tables live for ever.
        let task = unsafe { Descriptor::tss_segment_unchecked(place) };
        let mut segments = GlobalDescriptorTable::empty();
        for (segment, selector) in [
            (Descriptor::kernel_code_segment(), KERNEL_CODE),
            (Descriptor::kernel_data_segment(), KERNEL_DATA),
            (Descriptor::user_data_segment(), USER_DATA_SEGMENT),
            (Descriptor::user_code_segment(), USER_CODE_SEGMENT),
            (task, TASK),
        ] {
            assert_eq!(segments.append(segment), selector, "a segment has its selector");
        }
        // SAFETY: as above.
        unsafe { self.segments.get().write(segments) };
        // SAFETY: the address of a field; nothing is read.
        self.head.set_trap_stack_slot(unsafe { &raw mut (*place).privilege_stack_table }.cast());
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
    let mut tops = [0; CRITICAL.len()];
    for (number, top) in tops.iter_mut().enumerate() {
        // SAFETY: as above.
        *top = unsafe { stack::map_part(id, number + 1, CRITICAL_STACK, frames) }?;
    }
    let place: *mut CpuTables = frames.take().ok_or(OutOfFrames)?.as_ptr();
    // SAFETY: a frame of our own, larger than the tables.
    unsafe { place.write(CpuTables::empty(head, stack_top)) };
    // SAFETY: written above; the frame is never given back.
    let tables = unsafe { &*place };
    tables.fill(tops);
    Ok(Prepared { tables })
}

const_assert!(size_of::<CpuTables>() <= PAGE);

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
    // SAFETY: filled, and from now on the CPU's own.
    let segments = unsafe { &*tables.segments.get() };
    // SAFETY: it lives for ever; the CPU itself changes only a busy bit.
    unsafe { segments.load_unsafe() };
    // SAFETY: ring 0's code in the table just loaded.
    unsafe { CS::set_reg(KERNEL_CODE) };
    let data = [SS::set_reg as unsafe fn(_), DS::set_reg, ES::set_reg, FS::set_reg, GS::set_reg];
    for set in data {
        // SAFETY: in long mode ring 0 needs no data segments.
        unsafe { set(SegmentSelector::NULL) };
    }
    // SAFETY: this CPU's own task segment, in the table just loaded, and not busy.
    unsafe { load_tss(TASK) };
    interrupts::load();
    // From here on `gs` is this CPU's head, whatever it was; no program has one yet.
    GsBase::write(VirtAddr::from_ptr(tables.head));
    KernelGsBase::write(VirtAddr::zero());
    load_control();
    load_entries();
}

fn load_control() {
    let has = features::detect();
    let optional = [
        (has.umip, Cr4Flags::USER_MODE_INSTRUCTION_PREVENTION),
        (has.smep, Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION),
        (has.smap, Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION),
    ];
    let cr4 = optional.into_iter().filter(|(has, _)| *has).fold(CR4, |cr4, (_, flag)| cr4 | flag);
    // SAFETY: required bits that boot checked, and optional ones that this CPU has.
    unsafe { Cr4::write_raw(cr4.bits()) };
    // SAFETY: paging and protection stay on.
    unsafe { Cr0::write_raw(CR0.bits()) };
}

fn load_entries() {
    Star::write(USER_CODE_SEGMENT, USER_DATA_SEGMENT, KERNEL_CODE, KERNEL_DATA)
        .expect("the segments are in the order of `syscall` and `sysret`");
    LStar::write(VirtAddr::from_ptr(syscall::syscall_entry as *const ()));
    SFMask::write(syscall::FLAGS_CLEARED);
    // SAFETY: the entry that is made for it.
    unsafe { Msr::new(CSTAR).write(syscall::compatibility_entry as *const () as u64) };
}

#[repr(C, align(16))]
struct EarlyStacks(UnsafeCell<[[u8; CRITICAL_STACK]; CRITICAL.len()]>);

// SAFETY: the first CPU's hardware alone writes them.
unsafe impl Sync for EarlyStacks {}

static EARLY_STACKS: EarlyStacks =
    EarlyStacks(UnsafeCell::new([[0; CRITICAL_STACK]; CRITICAL.len()]));
static EARLY_HEAD: CpuHead = CpuHead::new();
static EARLY: CpuTables = CpuTables::empty(&EARLY_HEAD, 0);

/// Gives the first CPU tables to boot with.
///
/// # Safety
/// Once, by boot, before anything else of this module, interrupts off.
pub(crate) unsafe fn adopt_early() {
    EARLY_HEAD.name(0, 0);
    let stacks = EARLY_STACKS.0.get() as usize;
    EARLY.fill([1, 2, 3, 4].map(|n| stacks + n * CRITICAL_STACK));
    // SAFETY: the caller's word.
    unsafe { interrupts::fill() };
    // SAFETY: filled above.
    unsafe { load(&EARLY) };
}
