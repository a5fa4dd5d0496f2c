//! The 256 trap entries.
//!
//! ```text
//! any vector      full Frame on the current stack (ring 3: the context's kernel stack), `swapgs` from ring 3
//! 1, 2, 8, 18     full Frame on a stack of their own; above the frame lies the address of the CPU's head,
//!                 because at this instant `gs` may be anybody's (1 from ring 3: moved to the kernel stack)
//! timer, doorbell, lines from ring 0: the nine registers that a function call may change, and no more; the doorbell
//!                 inside a critical section one, since it only leaves a mark
//! ```
//! `clac` comes first everywhere: ring 0 may have been inside a copy. On a CPU without SMAP it is no
//! instruction, so every place is listed in `.smap` and boot writes over it ([`patch_smap`]).

use core::arch::{global_asm, naked_asm};
use core::mem::offset_of;

use static_assertions::const_assert_eq;

use super::{Frame, vector};
use crate::cpu::{CRIT, QUIET, RUNG, SYSCALL_STACK, USER_STACK};

macro_rules! clac {
    () => {
        "771: clac\n.pushsection .smap, \"a\"\n.quad 771b\n.popsection"
    };
}
macro_rules! stac {
    () => {
        "772: stac\n.pushsection .smap, \"a\"\n.quad 772b\n.popsection"
    };
}
macro_rules! push_frame {
    () => {
        "push rax\npush rcx\npush rdx\npush rsi\npush rdi\npush r8\npush r9\npush r10\npush r11\n\
         push rbx\npush rbp\npush r12\npush r13\npush r14\npush r15"
    };
}
macro_rules! pop_frame {
    () => {
        "pop r15\npop r14\npop r13\npop r12\npop rbp\npop rbx\npop r11\npop r10\npop r9\npop r8\n\
         pop rdi\npop rsi\npop rdx\npop rcx\npop rax\nadd rsp, 16"
    };
}
pub(crate) use {clac, push_frame, stac};

/// Distance between two of the generated stubs.
const STUB: usize = 16;
/// Vectors for which the CPU pushes an error code: 8, 10 to 14, 17, 21, 29, 30.
const WITH_ERROR: u32 = 1 << 8 | 0b11111 << 10 | 1 << 17 | 1 << 21 | 1 << 29 | 1 << 30;
/// Vectors with stacks of their own.
const CRITICAL: u32 =
    1 << vector::DEBUG | 1 << vector::NMI | 1 << vector::DOUBLE_FAULT | 1 << vector::MACHINE_CHECK;

const_assert_eq!(size_of::<Frame>(), 22 * 8);
const_assert_eq!(offset_of!(Frame, vector), 15 * 8);
const_assert_eq!(offset_of!(Frame, rip), 17 * 8);

/// Offset of the saved code segment from the saved vector: where a stub looks before it saves more.
const CS_FROM_VECTOR: usize = offset_of!(Frame, cs) - offset_of!(Frame, vector);

unsafe extern "C" {
    static trap_stubs: u8;
}

global_asm!(
    ".pushsection .text.trap_stubs, \"ax\", @progbits",
    ".balign 16",
    ".global trap_stubs",
    ".type trap_stubs, @function",
    "trap_stubs:",
    ".set number, 0",
    ".rept 256",
    ".balign {stub}",
    ".if number < 32 && (({with_error} >> number) & 1)",
    ".else",
    "push 0",
    ".endif",
    "push number",
    ".if number < 32 && (({critical} >> number) & 1)",
    ".if number == {debug}",
    "jmp {debug_entry}",
    ".else",
    "jmp {critical_entry}",
    ".endif",
    ".elseif number >= {line} && number < {line} + {lines}",
    "jmp {line_entry}",
    ".else",
    "jmp {common_entry}",
    ".endif",
    ".set number, number + 1",
    ".endr",
    ".size trap_stubs, . - trap_stubs",
    ".popsection",
    stub = const STUB,
    with_error = const WITH_ERROR,
    critical = const CRITICAL,
    debug = const vector::DEBUG,
    line = const vector::LINE,
    lines = const vector::LINES,
    debug_entry = sym debug_entry,
    critical_entry = sym critical_entry,
    line_entry = sym line_entry,
    common_entry = sym common_entry,
);

/// Returns the entry of a vector.
pub(crate) fn stub_address(number: u8) -> usize {
    match number {
        vector::TIMER => timer_entry as *const () as usize,
        vector::DOORBELL => doorbell_entry as *const () as usize,
        _ => (&raw const trap_stubs) as usize + usize::from(number) * STUB,
    }
}

/// Stack: `vector | error | rip | cs | rflags | rsp | ss`.
#[unsafe(naked)]
extern "C" fn common_entry() {
    naked_asm!(
        "cld",
        clac!(),
        "test byte ptr [rsp + {cs}], 3",
        "jz 2f",
        "swapgs",
        "2:",
        push_frame!(),
        "mov rdi, rsp",
        "call {dispatch}",
        "test byte ptr [rsp + {cs_in_frame}], 3",
        "jnz {to_user}",
        pop_frame!(),
        "iretq",
        cs = const CS_FROM_VECTOR,
        cs_in_frame = const offset_of!(Frame, cs),
        dispatch = sym super::dispatch::arch_trap,
        to_user = sym return_to_user,
    )
}

/// Stack pointer on a [`Frame`] of ring 3, interrupts off, `gs` the kernel's. Not a function.
#[unsafe(naked)]
pub(crate) extern "C" fn return_to_user() {
    naked_asm!(pop_frame!(), "swapgs", "iretq")
}

/// Stack: `vector | error | rip | cs | rflags | rsp | ss | address of the CPU's head`.
#[unsafe(naked)]
extern "C" fn critical_entry() {
    naked_asm!(
        "cld",
        clac!(),
        push_frame!(),
        "rdgsbase rbx",
        "mov r12, cr2",
        "mov rsi, [rsp + {head}]",
        "wrgsbase rsi",
        "mov rdi, rsp",
        "call {critical}",
        "mov cr2, r12",
        "wrgsbase rbx",
        pop_frame!(),
        "iretq",
        head = const size_of::<Frame>(),
        critical = sym super::dispatch::arch_critical,
    )
}

/// As [`critical_entry`]; from ring 3 it moves to the context's kernel stack and is a trap like others.
#[unsafe(naked)]
extern "C" fn debug_entry() {
    naked_asm!(
        "test byte ptr [rsp + {cs}], 3",
        "jz {critical_entry}",
        "swapgs",
        "mov gs:[{scratch}], rax",
        "mov rax, rsp",
        "mov rsp, gs:[{stack}]",
        "add rsp, 8",
        "push [rax + 48]",
        "push [rax + 40]",
        "push [rax + 32]",
        "push [rax + 24]",
        "push [rax + 16]",
        "push [rax + 8]",
        "push [rax]",
        "mov rax, gs:[{scratch}]",
        "swapgs",
        "jmp {common_entry}",
        cs = const CS_FROM_VECTOR,
        scratch = const USER_STACK,
        stack = const SYSCALL_STACK,
        critical_entry = sym critical_entry,
        common_entry = sym common_entry,
    )
}

macro_rules! push_volatile {
    () => {
        "push rax\npush rcx\npush rdx\npush rsi\npush rdi\npush r8\npush r9\npush r10\npush r11"
    };
}
macro_rules! pop_volatile {
    () => {
        "pop r11\npop r10\npop r9\npop r8\npop rdi\npop rsi\npop rdx\npop rcx\npop rax"
    };
}

/// Stack: `vector | error | rip | cs | rflags | rsp | ss`.
#[unsafe(naked)]
extern "C" fn line_entry() {
    naked_asm!(
        "test byte ptr [rsp + {cs}], 3",
        "jnz {common_entry}",
        clac!(),
        "cld",
        push_volatile!(),
        "mov edi, [rsp + {vector}]",
        "call {handler}",
        pop_volatile!(),
        "add rsp, 16",
        "iretq",
        cs = const CS_FROM_VECTOR,
        vector = const 9 * size_of::<u64>(),
        handler = sym super::dispatch::arch_line,
        common_entry = sym common_entry,
    )
}

/// The registers that a function call may change, and no more.
macro_rules! call_handler {
    () => {
        concat!(
            "cld\n",
            push_volatile!(),
            "\ncall {handler}\n",
            pop_volatile!(),
            "\niretq\n\
             3:\n\
             push 0\n\
             push {vector}\n\
             jmp {common_entry}"
        )
    };
}

/// Stack: `rip | cs | rflags | rsp | ss`.
#[unsafe(naked)]
extern "C" fn timer_entry() {
    naked_asm!(
        "test byte ptr [rsp + 8], 3",
        "jnz 3f",
        clac!(),
        call_handler!(),
        handler = sym super::dispatch::arch_timer,
        vector = const vector::TIMER,
        common_entry = sym common_entry,
    )
}

/// Stack: `rip | cs | rflags | rsp | ss`. Inside a critical section it ends the interrupt and leaves its mark: no call.
#[unsafe(naked)]
extern "C" fn doorbell_entry() {
    naked_asm!(
        "test byte ptr [rsp + 8], 3",
        "jnz 3f",
        "test dword ptr gs:[{crit}], {depth}",
        "jz 5f",
        "push rax",
        "mov rax, [{apic}]",
        "test rax, rax",
        "jz 4f",
        "mov dword ptr [rax + {end_in_page}], 0",
        "2:",
        "mov byte ptr gs:[{rung}], 1",
        "and dword ptr gs:[{crit}], {depth}",
        "pop rax",
        "iretq",
        "4:",
        "push rcx",
        "push rdx",
        "mov ecx, {end_msr}",
        "xor eax, eax",
        "xor edx, edx",
        "wrmsr",
        "pop rdx",
        "pop rcx",
        "jmp 2b",
        "5:",
        clac!(),
        call_handler!(),
        crit = const CRIT,
        depth = const !QUIET as i32,
        rung = const RUNG,
        apic = sym apic::BASE,
        end_in_page = const apic::END_OF_INTERRUPT.0,
        end_msr = const apic::END_OF_INTERRUPT.1,
        handler = sym super::dispatch::arch_doorbell,
        vector = const vector::DOORBELL,
        common_entry = sym common_entry,
    )
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
