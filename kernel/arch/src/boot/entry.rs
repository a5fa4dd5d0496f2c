//! The first instructions: PVH's 32-bit entry, and the real-mode entry of every further CPU.
//!
//! Both end in long mode with [`BOOT_TABLES`](boot_pml4): identity and direct map of the first
//! 4 GiB and the image at -2 GiB, all in 2 MiB pages that allow everything. Only boot code and starting
//! CPUs run on them; the kernel's own tables have no identity map at all.
//! Nothing here uses a stack that another CPU could be using: further CPUs start one at a time.

use core::arch::global_asm;
use core::mem::offset_of;

use static_assertions::const_assert_eq;
use x86_64::registers::control::{Cr0Flags, Cr4Flags};
use x86_64::registers::model_specific::EferFlags;

use crate::power::{DEBUG_EXIT, Exit};
use crate::text::COM1;

/// Where a starting CPU begins: below 1 MiB, a page's first byte.
pub(crate) const TRAMPOLINE: u64 = 0x8000;

/// What long mode needs, and what the kernel wants from the first page table on.
const EFER: u32 = EferFlags::SYSTEM_CALL_EXTENSIONS
    .union(EferFlags::LONG_MODE_ENABLE)
    .union(EferFlags::NO_EXECUTE_ENABLE)
    .bits() as u32;
const CR0: u32 = Cr0Flags::PROTECTED_MODE_ENABLE
    .union(Cr0Flags::NUMERIC_ERROR)
    .union(Cr0Flags::WRITE_PROTECT)
    .union(Cr0Flags::PAGING)
    .bits() as u32;
const CR4: u32 = Cr4Flags::PHYSICAL_ADDRESS_EXTENSION.bits() as u32;

/// What a starting CPU finds behind its trampoline.
#[repr(C)]
pub(crate) struct Mailbox {
    /// The kernel's own page tables.
    pub(crate) root: u64,
    /// Where its stack begins.
    pub(crate) stack_top: u64,
    /// First argument of `ap_start`.
    pub(crate) argument: u64,
}

unsafe extern "C" {
    static trampoline_start: u8;
    static trampoline_end: u8;
    static trampoline_mailbox: u8;
}

/// Returns the trampoline's code, and where in it the mailbox is.
pub(crate) fn trampoline() -> (&'static [u8], usize) {
    let start = &raw const trampoline_start;
    let bytes = (&raw const trampoline_end) as usize - start as usize;
    let mailbox = (&raw const trampoline_mailbox) as usize - start as usize;
    // SAFETY: the linker puts both symbols around the code below, in read-only memory.
    (unsafe { core::slice::from_raw_parts(start, bytes) }, mailbox)
}

global_asm!(
    // The note by which a loader finds the entry: name "Xen", type 18, an 8-byte address.
    r#"
    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 8, 18
    .asciz "Xen"
    .quad pvh_entry

    .section .boot.text, "ax", @progbits
    .code32
    .global pvh_entry
    .type pvh_entry, @function
pvh_entry:
    cli
    cld
    movl $boot_stack_top, %esp
    movl %ebx, %ebp                     # start_info: cpuid overwrites ebx
    movl $0x80000000, %eax
    cpuid
    cmpl $0x80000001, %eax
    jb .Lno_long_mode
    movl $0x80000001, %eax
    cpuid
    btl $29, %edx
    jnc .Lno_long_mode
    movl $.Lno_nx_text, %esi
    btl $20, %edx
    jnc .Lrefuse

    movl $boot_pd, %edi                 # 2048 pages of 2 MiB
    movl $0x83, %eax
    movl $2048, %ecx
1:  movl %eax, (%edi)
    addl $0x200000, %eax
    addl $8, %edi
    loop 1b
    movl $boot_pd + 3, %eax
    movl $boot_pdpt, %edi
    movl $4, %ecx
2:  movl %eax, (%edi)
    addl $0x1000, %eax
    addl $8, %edi
    loop 2b
    movl $boot_pd + 3, boot_pdpt_high + 510 * 8
    movl $boot_pd + 0x1003, boot_pdpt_high + 511 * 8
    movl $boot_pdpt + 3, boot_pml4
    movl $boot_pdpt + 3, boot_pml4 + 256 * 8
    movl $boot_pdpt_high + 3, boot_pml4 + 511 * 8

    call enable_long_mode
    lgdt boot_gdt_pointer
    ljmp $0x08, $.Lentry_64

    # Paging and long mode on the boot tables. Changes eax, ecx, edx.
enable_long_mode:
    movl ${cr4}, %eax
    movl %eax, %cr4
    movl $boot_pml4, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    movl ${efer}, %eax
    xorl %edx, %edx
    wrmsr
    movl ${cr0}, %eax
    movl %eax, %cr0
    ret

.Lno_long_mode:
    movl $.Lno_long_mode_text, %esi
.Lrefuse:                               # esi = text: print, leave
    movw ${com1} + 5, %dx
1:  inb %dx, %al
    testb $0x20, %al
    jz 1b
    movb (%esi), %al
    incl %esi
    testb %al, %al
    jz 2f
    movw ${com1}, %dx
    outb %al, %dx
    jmp .Lrefuse
2:  movb ${refused}, %al
    movw ${exit}, %dx
    outb %al, %dx
3:  hlt
    jmp 3b

    .code64
.Lentry_64:
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %eax, %fs
    movl %eax, %gs
    movq $__boot_stack_top, %rsp
    movl %ebp, %edi
    xorl %ebp, %ebp
    movq ${start}, %rax
    call *%rax
    ud2
    .size pvh_entry, . - pvh_entry

    .section .boot.data, "aw", @progbits
    .balign 8
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff            # 0x08: 64-bit code
    .quad 0x00cf93000000ffff            # 0x10: data
    .quad 0x00cf9b000000ffff            # 0x18: 32-bit code
boot_gdt_pointer:
    .word boot_gdt_pointer - boot_gdt - 1
    .long boot_gdt
.Lno_long_mode_text:
    .asciz "damselfly: this CPU has no 64-bit mode; start QEMU with -cpu max\n"
.Lno_nx_text:
    .asciz "damselfly: this CPU cannot protect pages from execution (no NX); start QEMU with -cpu max\n"

    .section .boot.tables, "aw", @progbits
    .balign 4096
    .global boot_pml4
boot_pml4:      .skip 4096
boot_pdpt:      .skip 4096
boot_pdpt_high: .skip 4096
boot_pd:        .skip 4 * 4096
    .skip 256
boot_stack_top:

    # Copied to TRAMPOLINE; addresses are relative to there.
    .section .rodata.trampoline, "a", @progbits
    .balign 16
    .global trampoline_start
trampoline_start:
    .code16
    cli
    cld
    xorw %ax, %ax
    movw %ax, %ds
    lgdtl .Lpointer - trampoline_start + {trampoline}
    movl %cr0, %eax
    orb $1, %al
    movl %eax, %cr0
    ljmpl $0x18, $.Lprotected - trampoline_start + {trampoline}
    .code32
.Lprotected:
    movw $0x10, %ax
    movw %ax, %ds
    movw %ax, %ss
    movl $boot_ap_stack_top, %esp
    movl $enable_long_mode, %eax
    call *%eax
    ljmp $0x08, $.Llong - trampoline_start + {trampoline}
    .code64
.Llong:
    leaq .Lmailbox(%rip), %rbx
    movq $ap_entry_64, %rax
    jmp *%rax
    .balign 8
.Lpointer:
    .word boot_gdt_pointer - boot_gdt - 1
    .long boot_gdt
    .balign 8
    .global trampoline_mailbox
trampoline_mailbox:
.Lmailbox:
    .skip 24
    .global trampoline_end
trampoline_end:

    .section .boot.tables, "aw", @progbits
    .skip 256
boot_ap_stack_top:

    .section .text.ap_entry, "ax", @progbits
    .type ap_entry_64, @function
ap_entry_64:                            # rbx = mailbox, seen through the identity map
    movq 8(%rbx), %rsp
    movq 16(%rbx), %rdi
    movq (%rbx), %rax
    movq %rax, %cr3                     # from here the mailbox is out of sight
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %eax, %fs
    movl %eax, %gs
    xorl %ebp, %ebp
    call {ap_start}
    ud2
    .size ap_entry_64, . - ap_entry_64
    "#,
    efer = const EFER,
    cr0 = const CR0,
    cr4 = const CR4,
    com1 = const COM1,
    exit = const DEBUG_EXIT,
    refused = const Exit::Boot as u8,
    trampoline = const TRAMPOLINE,
    start = sym super::start,
    ap_start = sym crate::smp::ap_start,
    options(att_syntax)
);

const_assert_eq!(offset_of!(Mailbox, root), 0);
const_assert_eq!(offset_of!(Mailbox, stack_top), 8);
const_assert_eq!(offset_of!(Mailbox, argument), 16);
const_assert_eq!(size_of::<Mailbox>(), 24);
