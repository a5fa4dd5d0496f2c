//! What the machine asks of the kernel: the symbols that `kernel-core` defines.
//!
//! All run with interrupts off, on the stack that the CPU chose, `gs` on the CPU's own block.
//! A definition is `#[unsafe(no_mangle)] fn` with the type below, `extern "C"` for the three entries,
//! which assembly calls.

use crate::boot::BootInfo;
use crate::cpu::CpuHead;
use crate::trap::Frame;

/// The two words that an entry gives back to the layer: `rax` (status) and `rdx` (first scalar).
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Answer {
    /// Into `rax`.
    pub status: i64,
    /// Into `rdx`.
    pub value: u64,
}

unsafe extern "Rust" {
    /// First CPU, boot stack, memory and traps ready, other CPUs not started.
    pub safe fn core_main(info: &'static BootInfo) -> !;
    /// Any further CPU, first kernel stack, everything of [`crate::tables::adopt`] done.
    pub safe fn core_cpu_main(head: &'static CpuHead) -> !;
    /// An exception, either ring ([`Frame::from_user`]), copies' faults already taken out.
    /// May not return to ring 0 unless it repaired the cause.
    pub safe fn core_exception(frame: &mut Frame);
    /// A non-maskable interrupt, double fault, machine check, or ring 0's debug trap: on a stack of
    /// its own, at any instruction, also inside a critical section. Must not switch.
    pub safe fn core_critical_trap(frame: &mut Frame, head: &CpuHead);
    /// The doorbell ([`crate::trap::vector::DOORBELL`]), end of interrupt already given.
    pub safe fn core_doorbell();
    /// The local timer ([`crate::trap::vector::TIMER`]), end of interrupt already given.
    pub safe fn core_timer();
    /// An interrupt of a line ([`crate::trap::vector::LINE`]), end of interrupt already given.
    pub safe fn core_line(line: u8);
    /// Any other vector: spurious, APIC error, or nobody's.
    pub safe fn core_unexpected_interrupt(vector: u8);
    /// Last step before each `iretq` to ring 3; may switch, may rewrite the frame.
    pub safe fn core_return_to_user(frame: &mut Frame);
    /// `syscall` from outside the layer, `int 0x80`, or an entry number that does not exist.
    pub safe fn core_foreign_syscall(frame: &mut Frame);
}

unsafe extern "C" {
    /// Entry 0. Arguments as the layer put them in rdi, rsi, rdx, r10, r8, r9.
    pub safe fn core_syscall_send(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> Answer;
    /// Entry 1.
    pub safe fn core_syscall_receive(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> Answer;
    /// Entry 2.
    pub safe fn core_syscall_wait(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> Answer;
}
