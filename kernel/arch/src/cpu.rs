//! The head of a CPU's block, and the handful of single instructions that reach it through `gs`.
//!
//! [`CpuHead`] is the first field of the per-CPU block that `kernel-core` lays out. Only its own CPU
//! touches it. Each accessor is one instruction with a memory operand in `gs`, written as non-pure
//! assembly, so that the compiler can neither cache an address over a switch nor merge two reads.
//!
//! The critical word holds three things, so that leaving costs one test:
//! ```text
//! bit 31       1 = no work is pending (inverted)
//! bits 16..31  depth of hard sections among them
//! bits 0..16   depth of critical sections
//! ```
//! It reaches zero only when the depth does and work is pending.

use core::arch::asm;
use core::cell::UnsafeCell;
use core::mem::offset_of;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};

use percpu::{CpuId, MAX_CPUS};

/// Bit of the critical word that says "nothing pending".
pub(crate) const QUIET: u32 = 1 << 31;
/// A hard section in the critical word: one critical section more, and one hard.
const HARD: u32 = 1 << 16 | 1;

/// What assembly and accessors need to find through `gs`. Created by [`CpuHead::new`], filled in by
/// [`crate::tables::prepare`].
#[repr(C, align(64))]
pub struct CpuHead {
    /// Its own address.
    this: AtomicPtr<CpuHead>,
    /// See the module head.
    crit: AtomicU32,
    id: AtomicU32,
    current: UnsafeCell<*mut ()>,
    /// Initial stack pointer of an entry by `syscall`: 8 below the 16-aligned top.
    syscall_stack: UnsafeCell<u64>,
    /// Second scalar of the answer that the entry in progress gives; zero when it has none.
    second_answer: UnsafeCell<u64>,
    /// Where `syscall` parks the user's stack pointer for one instruction.
    user_stack: UnsafeCell<u64>,
    /// The task segment's `rsp0`.
    trap_stack: AtomicU64,
    apic_id: AtomicU32,
    /// A doorbell came inside a critical section.
    rung: AtomicBool,
}

// SAFETY:
// 1. The cells are touched by the accessors of this module and by the entry stubs only, each for
//    the CPU whose `gs` points here.
// 2. `this`, `id` and `apic_id` are written once, before that CPU runs.
unsafe impl Sync for CpuHead {}
// SAFETY: as above; nothing in it is tied to the thread that made it.
unsafe impl Send for CpuHead {}

pub(crate) const SYSCALL_STACK: usize = offset_of!(CpuHead, syscall_stack);
pub(crate) const SECOND_ANSWER: usize = offset_of!(CpuHead, second_answer);
pub(crate) const USER_STACK: usize = offset_of!(CpuHead, user_stack);
pub(crate) const CRIT: usize = offset_of!(CpuHead, crit);
pub(crate) const RUNG: usize = offset_of!(CpuHead, rung);

impl CpuHead {
    /// Returns a head that no CPU uses yet: depth 1, so that nothing runs before the kernel says so.
    pub const fn new() -> Self {
        CpuHead {
            this: AtomicPtr::new(core::ptr::null_mut()),
            crit: AtomicU32::new(QUIET | 1),
            id: AtomicU32::new(0),
            current: UnsafeCell::new(core::ptr::null_mut()),
            syscall_stack: UnsafeCell::new(0),
            second_answer: UnsafeCell::new(0),
            user_stack: UnsafeCell::new(0),
            trap_stack: AtomicU64::new(0),
            apic_id: AtomicU32::new(0),
            rung: AtomicBool::new(false),
        }
    }

    /// Takes the mark that a doorbell left inside a critical section. Own CPU only.
    #[inline(always)]
    pub fn take_rung(&self) -> bool {
        // Two steps, no exchange: if the doorbell comes in between, one look does for both.
        let rung = self.rung.load(Ordering::Relaxed);
        if rung {
            self.rung.store(false, Ordering::Relaxed);
        }
        rung
    }

    /// Returns the dense number of the CPU that this head belongs to.
    pub fn id(&self) -> u32 {
        self.id.load(Ordering::Relaxed)
    }

    /// Returns the number by which the interrupt hardware knows it.
    pub fn apic_id(&self) -> u32 {
        self.apic_id.load(Ordering::Relaxed)
    }

    pub(crate) fn name(&'static self, id: u32, apic_id: u32) {
        APIC_IDS[id as usize].store(apic_id, Ordering::Relaxed);
        self.this.store(core::ptr::from_ref(self).cast_mut(), Ordering::Relaxed);
        self.id.store(id, Ordering::Relaxed);
        self.apic_id.store(apic_id, Ordering::Relaxed);
    }

    pub(crate) fn set_trap_stack_slot(&self, rsp0: *mut u64) {
        self.trap_stack.store(rsp0 as u64, Ordering::Relaxed);
    }
}

/// The numbers of all CPUs by which the interrupt hardware knows them: each is written once, before its CPU runs.
static APIC_IDS: [AtomicU32; MAX_CPUS] = [const { AtomicU32::new(0) }; MAX_CPUS];

/// Returns the number by which the interrupt hardware knows a CPU that runs.
#[inline(always)]
pub fn apic_id_of(cpu: CpuId) -> u32 {
    APIC_IDS[cpu.index()].load(Ordering::Relaxed)
}

impl core::fmt::Debug for CpuHead {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CpuHead")
            .field("id", &self.id())
            .field("apic_id", &self.apic_id())
            .finish_non_exhaustive()
    }
}

impl Default for CpuHead {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns the head of the CPU that runs this. Stale after a switch if the thread can migrate.
#[inline(always)]
pub fn this_cpu() -> &'static CpuHead {
    let head: *const CpuHead;
    // SAFETY: `gs` points to a head from before `core_main` and `core_cpu_main` on; `this` never changes.
    unsafe {
        asm!("mov {}, gs:[{}]", out(reg) head, const offset_of!(CpuHead, this), options(nostack, preserves_flags, readonly))
    };
    // SAFETY: heads are `'static` (`prepare` demands it).
    unsafe { &*head }
}

/// Returns the dense number of this CPU.
#[inline(always)]
pub fn cpu_id() -> u32 {
    let id: u32;
    // SAFETY: one read through `gs`, as in `this_cpu`.
    unsafe {
        asm!("mov {:e}, gs:[{}]", out(reg) id, const offset_of!(CpuHead, id), options(nostack, preserves_flags, readonly))
    };
    id
}

/// Sets the second scalar of the answer of the entry in progress, which must be on its way out: interrupts off.
#[inline(always)]
pub fn set_second_answer(value: u64) {
    // SAFETY: one store to a word of this CPU's own head.
    unsafe {
        asm!("mov gs:[{}], {}", const SECOND_ANSWER, in(reg) value, options(nostack, preserves_flags))
    };
}

/// Adds one to the word at `OFFSET` in the block of this CPU, in one instruction, so that no handler comes in between.
///
/// # Safety
/// There is a counter at that offset, which only its own CPU writes.
#[inline(always)]
pub unsafe fn count<const OFFSET: usize>() {
    // SAFETY: gs points to the block, whose first field is the head; the offset is the caller's promise.
    unsafe { asm!("inc qword ptr gs:[{}]", const OFFSET, options(nostack)) };
}

/// Reads the word at `OFFSET` in the block of this CPU.
///
/// # Safety
/// There is a `u32` at that offset, which only its own CPU writes.
#[inline(always)]
pub unsafe fn word<const OFFSET: usize>() -> usize {
    let word: usize;
    // SAFETY: one read through `gs`, as in `this_cpu`; the offset is the caller's promise. The upper half becomes zero.
    unsafe {
        asm!("mov {:e}, gs:[{}]", out(reg) word, const OFFSET, options(nostack, preserves_flags))
    };
    word
}

/// Says whether the word at `OFFSET` in the block of this CPU is `value`.
///
/// # Safety
/// As [`word`].
#[inline(always)]
pub unsafe fn word_is<const OFFSET: usize>(value: usize) -> bool {
    // SAFETY: one read through `gs`; both ways out fall through to Rust, and no register is written.
    unsafe {
        asm!(
            "cmp gs:[{offset}], {value:e}", "jne {other}",
            offset = const OFFSET, value = in(reg) value,
            other = label { return false },
            options(nostack)
        )
    };
    true
}

/// Reads the pointer at `OFFSET` in the block of this CPU.
///
/// # Safety
/// There is a pointer at that offset, which only its own CPU writes.
#[inline(always)]
pub unsafe fn pointer<const OFFSET: usize>() -> *const () {
    let pointer;
    // SAFETY: one read through `gs`, as in `this_cpu`; the offset is the caller's promise.
    unsafe {
        asm!("mov {}, gs:[{}]", out(reg) pointer, const OFFSET, options(nostack, preserves_flags))
    };
    pointer
}

/// Adds one to the word at `OFFSET` in the block of this CPU, in one instruction.
///
/// # Safety
/// There is a `u32` at that offset, which only its own CPU writes.
#[inline(always)]
pub unsafe fn increase<const OFFSET: usize>() {
    // SAFETY: as in `count`.
    unsafe { asm!("inc dword ptr gs:[{}]", const OFFSET, options(nostack)) };
}

/// Takes one from the word at `OFFSET` in the block of this CPU, in one instruction.
///
/// # Safety
/// As [`increase`]; the word is not zero.
#[inline(always)]
pub unsafe fn decrease<const OFFSET: usize>() {
    // SAFETY: as in `count`.
    unsafe { asm!("dec dword ptr gs:[{}]", const OFFSET, options(nostack)) };
}

/// Takes one from the 32-bit word at `OFFSET` in the block of this CPU, in one instruction; true when that made it zero.
///
/// # Safety
/// There is such a word at that offset, which only its own CPU writes.
#[inline(always)]
#[must_use]
pub unsafe fn count_down<const OFFSET: usize>() -> bool {
    // SAFETY: gs points to the block, whose first field is the head; the offset is the caller's promise.
    unsafe {
        asm!(
            "dec dword ptr gs:[{word}]", "jz {zero}",
            word = const OFFSET,
            zero = label { return true },
            options(nostack)
        )
    };
    false
}

/// Returns the word that the kernel keeps as its running thread.
#[inline(always)]
pub fn current() -> *mut () {
    let current;
    // SAFETY: one read through `gs`, as in `this_cpu`.
    unsafe {
        asm!("mov {}, gs:[{}]", out(reg) current, const offset_of!(CpuHead, current), options(nostack, preserves_flags))
    };
    current
}

/// Sets the running thread of this CPU.
#[inline(always)]
pub fn set_current(thread: *mut ()) {
    // SAFETY: one store to a word of this CPU's own head.
    unsafe {
        asm!("mov gs:[{}], {}", const offset_of!(CpuHead, current), in(reg) thread, options(nostack, preserves_flags))
    };
}

/// Enters a critical section: from here on this CPU runs no message and switches no thread unasked.
#[inline(always)]
pub fn crit_enter() {
    // SAFETY: one instruction on this CPU's own word; an interrupt sees it done or not done.
    unsafe { asm!("inc dword ptr gs:[{}]", const offset_of!(CpuHead, crit), options(nostack)) };
}

/// Leaves a critical section. True when it was the outermost and work arrived meanwhile: run it.
#[inline(always)]
#[must_use]
pub fn crit_exit() -> bool {
    asm_exit()
}

#[inline(always)]
fn asm_exit() -> bool {
    // SAFETY:
    // 1. One instruction on this CPU's own word; callers entered before.
    // 2. Both ways out fall through to Rust; no register is written.
    unsafe {
        asm!(
            "dec dword ptr gs:[{crit}]", "jz {pending}",
            crit = const offset_of!(CpuHead, crit),
            pending = label { return true },
            options(nostack)
        )
    };
    false
}

/// Enters a hard section, a critical one in which nothing may wait.
#[inline(always)]
pub fn hard_enter() {
    add_to_crit::<HARD>();
}

/// Leaves a hard section. The answer is as [`crit_exit`]'s.
#[inline(always)]
#[must_use]
pub fn hard_exit() -> bool {
    // SAFETY: as in `crit_exit`.
    unsafe {
        asm!(
            "sub dword ptr gs:[{crit}], {hard}", "jz {pending}",
            crit = const offset_of!(CpuHead, crit), hard = const HARD,
            pending = label { return true },
            options(nostack)
        )
    };
    false
}

/// Makes the hard section that this is an ordinary critical one, for a switch; [`harden`] takes that back.
#[inline(always)]
pub fn soften() {
    add_to_crit::<{ (HARD - 1).wrapping_neg() }>();
}

/// Makes the critical section that this is a hard one again.
#[inline(always)]
pub fn harden() {
    add_to_crit::<{ HARD - 1 }>();
}

#[inline(always)]
fn add_to_crit<const N: u32>() {
    // SAFETY: one instruction on this CPU's own word; an interrupt sees it done or not done.
    unsafe {
        asm!("add dword ptr gs:[{}], {}", const offset_of!(CpuHead, crit), const N as i32, options(nostack))
    };
}

/// Marks that work waits for the end of the critical section.
#[inline(always)]
pub fn set_pending() {
    // SAFETY: one instruction on this CPU's own word.
    unsafe {
        asm!("and dword ptr gs:[{}], {}", const offset_of!(CpuHead, crit), const !QUIET as i32, options(nostack))
    };
}

/// Takes the mark back: the work is about to be done.
#[inline(always)]
pub fn clear_pending() {
    // SAFETY: one instruction on this CPU's own word.
    unsafe {
        asm!("or dword ptr gs:[{}], {}", const offset_of!(CpuHead, crit), const QUIET as i32, options(nostack))
    };
}

/// Returns the depth of critical sections, hard ones included, on this CPU.
#[inline(always)]
pub fn crit_depth() -> u32 {
    crit_word() & 0xffff
}

/// Begins a record of 32 bytes in this CPU's log, and counts it: the time, `KIND` and `first`. Returns where its other two words are.
///
/// `AT`, `MASK` and `BASE` are where in the CPU's block its cursor, the mask of that and the address of its log are, `COUNT` where it
/// counts this kind. The place is taken by one instruction: an interrupt's record comes before it or behind it.
///
/// # Safety
/// There are these four words, and at `BASE + (cursor & MASK)` there is a record, whatever the cursor.
#[inline(always)]
pub unsafe fn record<
    const AT: usize,
    const MASK: usize,
    const BASE: usize,
    const COUNT: usize,
    const KIND: u32,
>(
    first: u32,
) -> *mut u64 {
    let place: *mut u64;
    // SAFETY: 1. the caller's promise; 2. the head is the block's beginning, and `gs` points to it.
    unsafe {
        asm!(
            "mov {place:e}, 32",
            "xadd gs:[{at}], {place}",
            "and {place}, gs:[{mask}]",
            "add {place}, gs:[{base}]",
            "rdtsc",
            "mov [{place}], eax",
            "mov [{place} + 4], edx",
            "mov dword ptr [{place} + 8], {kind}",
            "mov [{place} + 12], {first:e}",
            "inc qword ptr gs:[{count}]",
            place = out(reg) place,
            at = const AT, mask = const MASK, base = const BASE, count = const COUNT, kind = const KIND,
            first = in(reg) first,
            out("eax") _, out("edx") _,
            options(nostack)
        )
    };
    place.wrapping_add(2)
}

/// Returns the depth of hard sections on this CPU.
#[inline(always)]
pub fn hard_level() -> u32 {
    (crit_word() & !QUIET) >> 16
}

/// True inside a critical section of this CPU.
#[inline(always)]
pub fn in_crit() -> bool {
    crit_word() & !QUIET != 0
}

/// True in an outermost critical section that is not hard: where a thread may be switched away.
#[inline(always)]
pub fn may_switch() -> bool {
    crit_word() & !QUIET == 1
}

/// True when work is marked as pending.
#[inline(always)]
pub fn is_pending() -> bool {
    crit_word() & QUIET == 0
}

#[inline(always)]
fn crit_word() -> u32 {
    let word: u32;
    // SAFETY: one read through `gs`, as in `this_cpu`.
    unsafe {
        asm!("mov {:e}, gs:[{}]", out(reg) word, const offset_of!(CpuHead, crit), options(nostack, preserves_flags))
    };
    word
}

/// Sets the stack on which this CPU enters the kernel from ring 3; `top` is 16-aligned and exclusive.
/// Called when a process's context becomes the running one.
///
/// # Safety
/// The stack is mapped, writable, belongs to the context that is about to run in ring 3, and
/// interrupts are off or the CPU is in a critical section.
#[inline]
pub unsafe fn set_kernel_stack(top: usize) {
    debug_assert!(top.is_multiple_of(16));
    // SAFETY: one store to a word of this CPU's own head.
    unsafe {
        asm!("mov gs:[{}], {}", const SYSCALL_STACK, in(reg) top - 8, options(nostack, preserves_flags))
    };
    let slot: *mut u64;
    // SAFETY: one read through `gs`; `prepare` stored the address of this CPU's `rsp0`.
    unsafe {
        asm!("mov {}, gs:[{}]", out(reg) slot, const offset_of!(CpuHead, trap_stack), options(nostack, preserves_flags))
    };
    // SAFETY: the task segment lives as long as its CPU and only this CPU writes it.
    unsafe { slot.write_unaligned(top as u64) };
}
