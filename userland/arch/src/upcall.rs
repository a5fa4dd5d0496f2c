//! Upcalls and the carrier's own loop.

use crate::entry::go_on;
use crate::{Static, carrier};
use core::arch::naked_asm;
use core::mem::offset_of;
use static_assertions::const_assert_eq;
use uthread::Carrier;

/// The kernel enters here when a tick found the program counter outside the layer: the registers lie in the carrier's frame.
/// They move to the thread's block, and the carrier's own loop chooses.
///
/// # Safety
/// Entered by the kernel alone, any registers, direction flag clear.
#[unsafe(naked)]
pub unsafe extern "C" fn upcall<K: Static>() {
    naked_asm!(
        "mov rsp, gs:[{top}]",
        "xor ebp, ebp",
        "call {preempted}",
        "jmp {own_loop}",
        top = const offset_of!(Carrier, stack_top),
        preempted = sym preempted,
        own_loop = sym own_loop::<K>,
    )
}

extern "C" fn preempted() {
    carrier().preempted();
}

/// The carrier's own loop, from the top of its stack each time: it has nothing to keep from one time to the next.
///
/// # Safety
/// Jumped to with the carrier's idle block as the running thread.
#[unsafe(naked)]
pub unsafe extern "C" fn own_loop<K: Static>() {
    naked_asm!(
        "mov rsp, gs:[{top}]",
        "xor ebp, ebp",
        "call {run}",
        top = const offset_of!(Carrier, stack_top),
        run = sym run::<K>,
    )
}

extern "C" fn run<K: Static>() -> ! {
    let next = carrier().run(K::default());
    // SAFETY: the loop begins at the top of its stack each time and needs nothing of it.
    unsafe { go_on::<K>(next) }
}

/// Goes on with a preempted thread, whose frame lies at the stack pointer, in its block. The address leaves through the
/// carrier, so that no register is lost and nothing is written to the thread's stack. (`iretq` would do it in one instruction,
/// but QEMU before 9.1 reads its operands as the kernel, which SMAP forbids; it is slower besides.)
///
/// # Safety
/// Only the switch to a preempted thread comes here.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn resume() {
    naked_asm!(
        "mov rax, [rsp + {rip}]",
        "mov gs:[{resume_at}], rax",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop r11",
        "pop r10",
        "pop r9",
        "pop r8",
        "pop rbp",
        "pop rdi",
        "pop rsi",
        "pop rdx",
        "pop rcx",
        "pop rbx",
        "pop rax",
        "lea rsp, [rsp + 16]",
        "popfq",
        "pop rsp",
        "jmp qword ptr gs:[{resume_at}]",
        rip = const offset_of!(abi::Frame, rip),
        resume_at = const offset_of!(Carrier, resume_at),
    )
}

// The frame is in the order in which it is popped.
const_assert_eq!(offset_of!(abi::Frame, r15), 0);
const_assert_eq!(offset_of!(abi::Frame, r8), 7 * 8);
const_assert_eq!(offset_of!(abi::Frame, rbp), 8 * 8);
const_assert_eq!(offset_of!(abi::Frame, rbx), 13 * 8);
const_assert_eq!(offset_of!(abi::Frame, rax), 14 * 8);
const_assert_eq!(offset_of!(abi::Frame, rip), 15 * 8);
const_assert_eq!(offset_of!(abi::Frame, rflags), 17 * 8);
const_assert_eq!(offset_of!(abi::Frame, rsp), 18 * 8);
const_assert_eq!(offset_of!(uthread::Preempted, resume), 16);
const_assert_eq!(offset_of!(uthread::Preempted, frame), 24);
