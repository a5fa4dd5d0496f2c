//! The bare switch between two stacks, with no scheduler: for coroutines inside a thread, and for comparison with others.
//!
//! ```text
//! saved sp ─▶ rbp │ rbx │ address to go on at
//! ```

use core::arch::{asm, naked_asm};

/// Pushes the address of a label. An image for ring 3 lies below 2 GiB: there it is the
/// immediate of a `push`, spelt out because assemblers take the label for a memory operand.
#[cfg(target_os = "none")]
macro_rules! push_address {
    ($label:literal) => {
        concat!(".byte 0x68\n.long ", $label)
    };
}
#[cfg(not(target_os = "none"))]
macro_rules! push_address {
    ($label:literal) => {
        concat!("lea rcx, [rip + ", $label, "]\npush rcx")
    };
}

/// A context that does not run: its saved stack pointer.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Context(pub usize);

/// Prepares a context at the top of `stack`: the first switch to it calls `function` with `argument`, and with what that switch
/// passes. The function must not return.
///
/// # Safety
/// The stack stays writable and nobody else's as long as the context is used.
#[must_use]
pub unsafe fn prepare(
    stack: &mut [u64],
    function: extern "C" fn(u64, u64) -> !,
    argument: u64,
) -> Context {
    let end = stack.as_ptr_range().end as usize & !15;
    let top = (end - 5 * 8) as *mut [u64; 4];
    // SAFETY: the words lie inside the stack, which is ours.
    unsafe {
        top.write([argument, function as usize as u64, begin as *const () as usize as u64, 0])
    };
    Context(top as usize)
}

/// `rbx` = function, `rbp` = argument, `rax` = what the switch passed.
#[unsafe(naked)]
unsafe extern "C" fn begin() {
    naked_asm!("mov rdi, rbp", "mov rsi, rax", "xor ebp, ebp", "jmp rbx")
}

/// Saves the running context in `from`, goes on with `to`, which gets `passed`. Returns what whoever comes back passes.
///
/// # Safety
/// `to` is a context that does not run, and runs at most once at a time.
#[inline(always)]
pub unsafe fn switch(from: &mut Context, to: Context, passed: u64) -> u64 {
    let back: u64;
    // SAFETY: all registers that the compiler may use are given up; rbx and rbp are kept on the stack by hand.
    unsafe {
        asm!(
            push_address!("2f"),
            "push rbx",
            "push rbp",
            "mov [rdi], rsp",
            "mov rsp, rsi",
            "pop rbp",
            "pop rbx",
            "pop rcx",
            "jmp rcx",
            "2:",
            inout("rdi") from => _,
            inout("rsi") to.0 => _,
            inout("rax") passed => back,
            out("rcx") _, out("rdx") _, out("r8") _, out("r9") _, out("r10") _, out("r11") _,
            out("r12") _, out("r13") _, out("r14") _, out("r15") _,
            clobber_abi("C"),
        );
    }
    back
}
