//! Messages to the kernel: the only `syscall` instructions of ring 3. Calls keep their place in the layer's range.

use crate::Static;
use abi::{EntryNumber, Raw, SysMsg};
use core::arch::{asm, naked_asm};
use core::mem::offset_of;
use uthread::{Carrier, Tcb};

const STATUS: usize =
    offset_of!(Tcb, sysmsg) + offset_of!(SysMsg, result) + offset_of!(Raw, status);
const VALUE: usize = offset_of!(Tcb, sysmsg) + offset_of!(SysMsg, result) + offset_of!(Raw, value);
const VALUE2: usize =
    offset_of!(Tcb, sysmsg) + offset_of!(SysMsg, result) + offset_of!(Raw, value2);
const HEAD: usize = offset_of!(Tcb, sysmsg) + offset_of!(SysMsg, head);

/// `rdi` = head, `rdx`, `r10`, `r8`, `r9` = scalars, or `rdx` = address of the list: sends the message with the thread as its
/// cookie. Returns `rax` = status, `rdx`, `r10` = values, when there are any; meanwhile other threads run. Switching.
///
/// # Safety
/// Called by a user thread; the memory that the message describes stays until it returns.
#[unsafe(naked)]
pub unsafe extern "C" fn send<K: Static>() {
    naked_asm!(
        "mov rsi, gs:[{current}]",
        "mov [rsi + {head}], rdi",
        "xor eax, eax",
        "syscall",
        "test rax, rax",
        "jne {pending}",
        "cmp dword ptr gs:[{look}], 0",
        "jne {leave}",
        "ret",
        current = const offset_of!(Carrier, current),
        head = const HEAD,
        look = const offset_of!(Carrier, pending),
        pending = sym unanswered::<K>,
        leave = sym crate::entry::leave_pending::<K>,
    )
}

/// As [`send`], for a message whose head is `HEAD`, in registers.
///
/// # Safety
/// As [`send`].
#[unsafe(naked)]
pub unsafe extern "C" fn send_fixed<K: Static, const HEAD: u64>() {
    naked_asm!("mov edi, {head}", "jmp {send}", head = const HEAD, send = sym send::<K>)
}

/// The null message in registers.
///
/// # Safety
/// As [`send`].
#[unsafe(naked)]
pub unsafe extern "C" fn null<K: Static>() {
    naked_asm!(
        "mov edi, {head}",
        "mov rsi, gs:[{current}]",
        "xor eax, eax",
        "syscall",
        "cmp dword ptr gs:[{look}], 0",
        "jne {leave}",
        "ret",
        head = const abi::Head::new(abi::Number::Null as u16, abi::FLAG_REGISTERS, 0).0,
        current = const offset_of!(Carrier, current),
        look = const offset_of!(Carrier, pending),
        leave = sym crate::entry::leave_pending::<K>,
    )
}

/// `rdi` = port, `rdx` = buffer, `r10` = its length: takes the port's next request. Returns as [`send`]. Switching.
///
/// # Safety
/// As [`send`].
#[unsafe(naked)]
pub unsafe extern "C" fn receive<K: Static>() {
    naked_asm!(
        "mov rsi, gs:[{current}]",
        "mov eax, {receive}",
        "syscall",
        "test rax, rax",
        "jne {pending}",
        "cmp dword ptr gs:[{look}], 0",
        "jne {leave}",
        "ret",
        current = const offset_of!(Carrier, current),
        receive = const EntryNumber::Receive as u64,
        look = const offset_of!(Carrier, pending),
        pending = sym unanswered::<K>,
        leave = sym crate::entry::leave_pending::<K>,
    )
}

/// Not simply answered. Asynchronous: waits for the completion and takes it from the thread's message. An error, now or then, is
/// kept as the thread's `errno`. An answer with a note that something was passed over is an answer.
///
/// # Safety
/// Jumped to by the stubs above.
#[unsafe(naked)]
unsafe extern "C" fn unanswered<K: Static>() {
    naked_asm!(
        "test rax, rax",
        "js 2f",
        "test al, {asynchronous}",
        "je 3f",
        "call {wait}",
        "mov rcx, gs:[{current}]",
        "mov rax, [rcx + {status}]",
        "mov rdx, [rcx + {value}]",
        "mov r10, [rcx + {value2}]",
        "test rax, rax",
        "jns 3f",
        "2: mov rcx, gs:[{current}]",
        "mov [rcx + {errno}], rax",
        "neg qword ptr [rcx + {errno}]",
        "3: cmp dword ptr gs:[{look}], 0",
        "jne {leave}",
        "ret",
        wait = sym crate::entry::await_completion::<K>,
        asynchronous = const abi::ASYNCHRONOUS,
        current = const offset_of!(Carrier, current),
        errno = const offset_of!(Tcb, errno),
        status = const STATUS,
        value = const VALUE,
        value2 = const VALUE2,
        look = const offset_of!(Carrier, pending),
        leave = sym crate::entry::leave_pending::<K>,
    )
}

/// `rdi` = message in memory: sends it, waits for its result, writes it back; `rax` = status. Switching.
///
/// # Safety
/// As [`send`]; the message stays until it returns.
#[unsafe(naked)]
pub unsafe extern "C" fn do_message<K: Static>() {
    naked_asm!(
        "push rbx",
        "mov rbx, rdi",
        "mov rdi, [rbx + {head}]",
        "mov rdx, [rbx + {words}]",
        "mov r10, [rbx + {words} + 8]",
        "mov r8, [rbx + {words} + 16]",
        "mov r9, [rbx + {words} + 24]",
        "mov rsi, gs:[{current}]",
        "xor eax, eax",
        "syscall",
        "test rax, rax",
        "jne 3f",
        "2: mov [rbx + {result}], rax",
        "mov [rbx + {result} + 8], rdx",
        "mov [rbx + {result} + 16], r10",
        "pop rbx",
        "cmp dword ptr gs:[{look}], 0",
        "jne {leave}",
        "ret",
        "3: call {pending}",
        "jmp 2b",
        head = const offset_of!(SysMsg, head),
        words = const offset_of!(SysMsg, words),
        result = const offset_of!(SysMsg, result),
        current = const offset_of!(Carrier, current),
        look = const offset_of!(Carrier, pending),
        pending = sym unanswered::<K>,
        leave = sym crate::entry::leave_pending::<K>,
    )
}

/// Makes a real entry from the carrier's own loop, where no thread is: nothing that could become asynchronous.
///
/// # Safety
/// The entry's arguments are sound.
pub unsafe fn enter(entry: EntryNumber, rdi: u64, rsi: u64, scalars: [u64; 4]) -> Raw {
    let [mut value, mut value2, r8, r9] = scalars;
    let mut rax = entry as u64;
    // SAFETY: the kernel keeps rsp, rbp, rbx; all others are given up. The arguments are the caller's promise.
    unsafe {
        asm!(
            "syscall",
            inout("rax") rax, inout("rdi") rdi => _, inout("rsi") rsi => _,
            inout("rdx") value, inout("r10") value2, inout("r8") r8 => _, inout("r9") r9 => _,
            out("rcx") _, out("r11") _, out("r12") _, out("r13") _, out("r14") _, out("r15") _,
            options(nostack),
        );
    }
    Raw { status: rax as i64, value, value2 }
}

/// The time stamp counter.
#[must_use]
pub fn time_stamp() -> u64 {
    // SAFETY: reads a counter.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// The kernel enters ring 3 here on a fresh CPU process: `rdi` = its index, any stack. `begin` makes the carrier; then its own
/// loop runs.
///
/// # Safety
/// Entered by the kernel alone, with the GS base at the carrier area.
#[unsafe(naked)]
pub unsafe extern "C" fn start<K: Static, B: Begin>() {
    naked_asm!(
        "xor ebp, ebp",
        "call {begin}",
        "jmp {own_loop}",
        begin = sym begin::<B>,
        own_loop = sym crate::upcall::own_loop::<K>,
    )
}

/// What a fresh CPU process does first.
pub trait Begin {
    /// Makes the carrier of CPU process `index`.
    fn begin(index: u64);
}

extern "C" fn begin<B: Begin>(index: u64) {
    B::begin(index);
}
