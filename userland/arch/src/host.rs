//! What the host needs to run the same stubs: a GS base of its own for each thread that plays a carrier.

/// Sets the GS base of this host thread. Linux on x86-64 leaves it to the program.
///
/// # Safety
/// `area` is a carrier area, or nothing uses the GS base.
#[cfg(target_os = "linux")]
pub unsafe fn set_gs_base(area: usize) {
    const ARCH_PRCTL: u64 = 158;
    const ARCH_SET_GS: u64 = 0x1001;
    let mut result = ARCH_PRCTL;
    // SAFETY: the call changes the GS base of this thread only.
    unsafe {
        core::arch::asm!(
            "syscall",
            inout("rax") result,
            in("rdi") ARCH_SET_GS, in("rsi") area,
            out("rcx") _, out("r11") _,
            options(nostack),
        );
    }
    assert!(result == 0, "the host refuses a GS base");
}

/// Runs the carrier of this host thread, beginning with its own loop on its own stack, until a thread calls
/// [`leave`]. Returns what that passed.
///
/// # Safety
/// The GS base is a carrier area, and the idle block is its running thread.
#[cfg(target_os = "linux")]
pub unsafe fn run(home: &mut crate::switch::Context, own_loop: usize) -> u64 {
    let passed: u64;
    // SAFETY: all registers are given up; rbx and rbp are kept by hand, as in `switch`.
    unsafe {
        core::arch::asm!(
            "lea rcx, [rip + 2f]",
            "push rcx",
            "push rbx",
            "push rbp",
            "mov [rdi], rsp",
            "jmp rsi",
            "2:",
            inout("rdi") home => _, inout("rsi") own_loop => _, lateout("rax") passed,
            out("r12") _, out("r13") _, out("r14") _, out("r15") _,
            clobber_abi("C"),
        );
    }
    passed
}

/// From a user thread: goes back to where [`run`] was called. The thread never goes on.
///
/// # Safety
/// `home` is the context that `run` saved, on this host thread.
#[cfg(target_os = "linux")]
pub unsafe fn leave(home: crate::switch::Context, passed: u64) -> ! {
    let mut nowhere = crate::switch::Context::default();
    // SAFETY: the caller's promise.
    unsafe { crate::switch::switch(&mut nowhere, home, passed) };
    unreachable!("nobody knows this context")
}
