//! Upcalls and the carrier's own loop.

use crate::entry::go_on;
use crate::{Static, carrier};
use core::arch::naked_asm;
use core::mem::offset_of;
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

/// Goes on with a preempted thread, whose frame lies at the stack pointer, in its block.
///
/// # Safety
/// Only the switch to a preempted thread comes here.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn resume() {
    naked_asm!(
        "pop r15", "pop r14", "pop r13", "pop r12", "pop r11", "pop r10", "pop r9", "pop r8", "pop rbp", "pop rdi", "pop rsi",
        "pop rdx", "pop rcx", "pop rbx", "pop rax", "iretq",
    )
}

const _: () = {
    use abi::Frame;
    assert!(offset_of!(Frame, r15) == 0 && offset_of!(Frame, r8) == 7 * 8 && offset_of!(Frame, rbp) == 8 * 8);
    assert!(offset_of!(Frame, rbx) == 13 * 8 && offset_of!(Frame, rax) == 14 * 8 && offset_of!(Frame, rip) == 15 * 8);
    assert!(offset_of!(uthread::Preempted, resume) == 16 && offset_of!(uthread::Preempted, frame) == 24);
};
