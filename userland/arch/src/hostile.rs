//! What no program may do, for the programs that show what comes of it.
//!
//! Each is a function that does one such thing. Those of [`FATAL`] end the program, if the kernel is right; those of
//! [`HARMLESS`] come back.

use core::arch::{asm, naked_asm};

/// Addresses that a program has no business with.
pub mod address {
    /// In the kernel's half: its image.
    pub const KERNEL: u64 = 0xffff_ffff_8010_0000;
    /// In the kernel's half: all RAM.
    pub const DIRECT_MAP: u64 = 0xffff_8000_0010_0000;
    /// No address at all.
    pub const NON_CANONICAL: u64 = 0x8000_0000_0000_0000;
    /// The first that is none.
    pub const HOLE: u64 = 0x0000_8000_0000_0000;
    /// The last page below the hole, which the kernel keeps free.
    pub const LAST: u64 = 0x0000_7fff_ffff_f000;
    /// A program's, and nothing is mapped there.
    pub const UNMAPPED: u64 = 0x6000_0000;
    /// All of them.
    pub const ALL: [u64; 6] = [KERNEL, DIRECT_MAP, NON_CANONICAL, HOLE, LAST, UNMAPPED];
}

/// A deed, by name.
pub type Deed = (&'static str, unsafe extern "C" fn());

macro_rules! deeds {
    ($( $(#[doc = $doc:literal])+ $list:ident: $( $name:ident: $($line:literal),+; )+ )+) => {
        $( $(#[doc = $doc])+
        pub const $list: &[Deed] = &[$( (stringify!($name), $name) ),+];
        $(
            #[unsafe(naked)]
            unsafe extern "C" fn $name() {
                naked_asm!($($line),+, "ret")
            }
        )+ )+
    };
}

deeds! {
    /// What ends a program.
    FATAL:
        interrupts_off: "cli";
        interrupts_on: "sti";
        halt: "hlt";
        port_in: "in al, 0x60";
        port_out: "out 0xf4, al";
        read_msr: "mov ecx, 0xc0000080", "rdmsr";
        write_msr: "mov ecx, 0xc0000082", "xor eax, eax", "xor edx, edx", "wrmsr";
        read_cr3: "mov rax, cr3";
        write_cr4: "xor eax, eax", "mov cr4, rax";
        invalidate: "invlpg [rsp]";
        load_gdt: "lgdt [rsp]";
        load_idt: "lidt [rsp]";
        store_gdt_umip: "sub rsp, 16", "sgdt [rsp]", "mov rax, 0xffffffff80000000", "mov al, [rax]";
        task_register: "mov eax, 0x28", "ltr ax";
        swap_gs: "swapgs";
        system_return: "sysretq";
        interrupt_gate: "int 0x20";
        interrupt_trap: "int 14";
        far_to_ring0: "push 0x8", "lea rax, [rip + 2f]", "push rax", "retfq", "2: nop";
        iret_to_ring0: "mov rax, rsp", "push 0x10", "push rax", "pushfq", "push 0x8", "lea rax, [rip + 2f]", "push rax", "iretq", "2: nop";
        iret_to_hole: "mov rax, rsp", "push 0x23", "push rax", "pushfq", "push 0x2b", "mov rax, 0x800000000000", "push rax", "iretq";
        kernel_segment: "mov eax, 0x10", "mov ss, ax";
        undefined: "ud2";
        breakpoint: "int3";
        single_step: "pushfq", "or qword ptr [rsp], 0x100", "popfq", "nop", "nop";
        divide: "xor ecx, ecx", "xor edx, edx", "div rcx";
        vector: "xorps xmm0, xmm0";
        vector_wide: "vxorps ymm0, ymm0, ymm0";
        floating: "fld1";
        save_vector: "sub rsp, 0x400", "and rsp, -64", "fxsave [rsp]", "mov rsp, 0";
        save_flags: "mov ecx, 0", "xgetbv";
        read_null: "mov al, [0]";
        read_kernel: "mov rax, 0xffffffff80100000", "mov al, [rax]";
        write_kernel: "mov rax, 0xffff800000100000", "mov [rax], al";
        read_non_canonical: "mov rax, 0x8000000000000000", "mov al, [rax]";
        push_non_canonical: "mov rsp, 0x8000000000000000", "push rax";
        jump_kernel: "mov rax, 0xffffffff80100000", "jmp rax";
        jump_non_canonical: "mov rax, 0x800000000000", "jmp rax";
        return_non_canonical: "mov rax, 0x8000000000001000", "push rax", "ret";
        jump_data: "push 0x90c3", "jmp rsp";
        jump_completions: "mov eax, 0x78000000", "jmp rax";
        write_code: "lea rax, [rip]", "mov byte ptr [rax], 0x90";
        write_layer: "mov eax, 0x70000000", "mov [rax], rax";
        write_completions: "mov eax, 0x78000000", "mov [rax], rax";
        write_guard: "mov rax, 0x100000000", "mov [rax], rax";
        overflow: "2: push rax", "jmp 2b";
        overflow_in_calls: "2: call 2b";
        stack_in_kernel: "mov rsp, 0xffffffff80100000", "push rax";
        lost_carrier: "xor eax, eax", "mov gs:[0], rax", "call [0x70000000 + 16 + 8*6]", "ud2";
    /// What comes back to a program, which is told by an error where there is something to tell.
    HARMLESS:
        direction_backward: "std", "pushfq", "pop rax", "cld";
        io_level: "pushfq", "or qword ptr [rsp], 0x3000", "popfq";
        nested: "pushfq", "or qword ptr [rsp], 0x4000", "popfq", "mov ecx, 1000", "2: loop 2b", "pushfq", "and qword ptr [rsp], 0xffffffffffffbfff", "popfq";
        aligned: "pushfq", "or qword ptr [rsp], 0x40000", "popfq", "mov rax, [rsp + 1]", "pushfq", "and qword ptr [rsp], 0xfffffffffffbffff", "popfq";
        null_segments: "xor eax, eax", "mov ds, ax", "mov es, ax", "mov fs, ax";
        stack_nowhere: "mov rdx, rsp", "xor esp, esp", "mov ecx, 3000000", "2: loop 2b", "mov rsp, rdx";
        stack_non_canonical: "mov rdx, rsp", "mov rsp, 0x8000000000000000", "mov ecx, 3000000", "2: loop 2b", "mov rsp, rdx";
        foreign_stack_nowhere: "mov r8, rsp", "mov rsp, 0x8000000000000000", "mov eax, 39", "syscall", "int 0x80", "mov rsp, r8";
        foreign_backward: "std", "mov eax, 39", "syscall", "cld";
}

/// A `syscall` from outside the layer.
#[must_use]
pub fn foreign_syscall(number: u64, [rdi, rsi, rdx]: [u64; 3]) -> i64 {
    let status: i64;
    // SAFETY: the kernel refuses it and touches no memory.
    unsafe {
        asm!(
            "syscall",
            inout("rax") number => status, in("rdi") rdi, in("rsi") rsi, in("rdx") rdx,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    status
}

/// An `int 0x80`.
#[must_use]
pub fn foreign_interrupt(number: u64) -> i64 {
    let status: i64;
    // SAFETY: as in `foreign_syscall`.
    unsafe { asm!("int 0x80", inout("rax") number => status, options(nostack)) };
    status
}

/// Enters the kernel through an instruction of the layer's, with any registers. What it comes back with, if it does, is of no
/// importance.
///
/// # Safety
/// `at` is a `syscall` of the layer. All that a program has may be lost.
pub unsafe fn enter_at(at: u64, rax: u64, rdi: u64, rsi: u64, [rdx, r10, r8, r9]: [u64; 4]) {
    // SAFETY: the caller's promise: nothing is promised afterwards, so nothing can be broken that is not given up.
    unsafe {
        asm!(
            "call {at}",
            at = in(reg) at,
            inout("rax") rax => _, inout("rdi") rdi => _, inout("rsi") rsi => _,
            inout("rdx") rdx => _, inout("r10") r10 => _, inout("r8") r8 => _, inout("r9") r9 => _,
            out("r12") _, out("r13") _, out("r14") _, out("r15") _,
            clobber_abi("C"),
        );
    }
}

/// A loop of one instruction.
pub fn spin() -> ! {
    // SAFETY: does nothing.
    unsafe { asm!("2: jmp 2b", options(noreturn, nomem, nostack)) }
}

/// Goes on at an address, on a stack and with registers of the caller's choice.
///
/// # Safety
/// All that a program has may be lost.
pub unsafe fn go_to(at: u64, stack: u64, [rax, rdi, rsi, rdx, rcx, r8, r9]: [u64; 7]) -> ! {
    // SAFETY: the caller's promise; nobody comes back.
    unsafe {
        asm!(
            "mov rsp, r10",
            "jmp r11",
            in("r11") at, in("r10") stack,
            in("rax") rax, in("rdi") rdi, in("rsi") rsi, in("rdx") rdx, in("rcx") rcx, in("r8") r8, in("r9") r9,
            options(noreturn),
        )
    }
}
