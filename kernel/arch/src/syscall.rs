//! Entry by `syscall`: the layer's three calls, and everybody else's.
//!
//! The address range is the whole test of who calls: inside the layer's image, `rax` picks one of three
//! functions, which gets its arguments in registers and answers in two; elsewhere a full frame is
//! made and the kernel reflects the call. The kernel stack while one of the three runs:
//! ```text
//! top - 8    unused (keeps calls aligned)
//! top - 16   the caller's rsp     \
//! top - 24   the caller's rflags   > user::SyscallFrame
//! top - 32   the return address   /
//! ```
//! rbx, rbp and r12..r15 are preserved by the C functions; all others leave as the answer or as zero. The
//! return address lies in the layer, so `sysretq` cannot fault.

use core::arch::naked_asm;
use core::mem::offset_of;

use static_assertions::{const_assert, const_assert_eq};
use x86_64::registers::rflags::RFlags;

use crate::cpu::{SECOND_ANSWER, SYSCALL_STACK, USER_STACK};
use crate::layout::{LAYER_END, LAYER_START};
use crate::tables::{USER_CODE, USER_DATA};
use crate::trap::{Frame, arch_user_return, push_frame, return_to_user, vector};
use crate::upcall;
use crate::user::SyscallFrame;

/// Flags that an entry clears.
pub(crate) const FLAGS_CLEARED: RFlags = RFlags::TRAP_FLAG
    .union(RFlags::INTERRUPT_FLAG)
    .union(RFlags::DIRECTION_FLAG)
    .union(RFlags::NESTED_TASK)
    .union(RFlags::ALIGNMENT_CHECK);

const_assert_eq!(offset_of!(SyscallFrame, rip), 0);
const_assert_eq!(offset_of!(SyscallFrame, rflags), 8);
const_assert_eq!(offset_of!(SyscallFrame, rsp), 16);
const_assert!(LAYER_END < 1 << 31);

#[unsafe(naked)]
pub(crate) extern "C" fn syscall_entry() {
    naked_asm!(
        "swapgs",
        "mov gs:[{user_stack}], rsp",
        "mov rsp, gs:[{syscall_stack}]",
        "push gs:[{user_stack}]",
        "push r11",
        "push rcx",
        "sub rcx, {layer_start}",
        "cmp rcx, {layer_bytes}",
        "jae {foreign}",
        "mov rcx, r10",
        "test rax, rax",
        "jnz 3f",
        "call {send}",
        "2:",
        "pop rcx",
        "pop r11",
        "pop rsp",
        "xor edi, edi",
        "xor esi, esi",
        "xor r8d, r8d",
        "xor r9d, r9d",
        "mov r10, gs:[{second}]",
        "mov qword ptr gs:[{second}], 0",
        "swapgs",
        "sysretq",
        "3:",
        "cmp rax, 2",
        "ja {foreign}",
        "je 4f",
        "call {receive}",
        "jmp 2b",
        "4:",
        "call {wait}",
        "jmp 2b",
        second = const SECOND_ANSWER,
        user_stack = const USER_STACK,
        syscall_stack = const SYSCALL_STACK,
        layer_start = const LAYER_START,
        layer_bytes = const LAYER_END - LAYER_START,
        send = sym upcall::core_syscall_send,
        receive = sym upcall::core_syscall_receive,
        wait = sym upcall::core_syscall_wait,
        foreign = sym foreign,
    )
}

/// Makes a full frame of what `syscall_entry` pushed; `rcx` no longer matters, the stack has it.
#[unsafe(naked)]
extern "C" fn foreign() {
    naked_asm!(
        "mov rcx, [rsp + {rip}]",
        "add rsp, 24 + 8",
        "push {data}",
        "push gs:[{user_stack}]",
        "push r11",
        "push {code}",
        "push rcx",
        "push 0",
        "push {vector}",
        push_frame!(),
        "mov rdi, rsp",
        "call {handle}",
        "jmp {to_user}",
        rip = const offset_of!(SyscallFrame, rip),
        user_stack = const USER_STACK,
        data = const USER_DATA,
        code = const USER_CODE,
        vector = const vector::SYSCALL,
        handle = sym foreign_syscall,
        to_user = sym return_to_user,
    )
}

extern "C" fn foreign_syscall(frame: &mut Frame) {
    upcall::core_foreign_syscall(frame);
    arch_user_return(frame);
}

/// Entry of 32-bit code, for which there is no segment: refuses and goes back.
#[unsafe(naked)]
pub(crate) extern "C" fn compatibility_entry() {
    naked_asm!("mov eax, -1", "sysret")
}
