//! How a program calls the layer: through its table, with no trap.

use abi::Raw;
use core::arch::asm;
use core::mem::MaybeUninit;

/// Calls the entry point at `target` with up to four arguments; it may switch.
///
/// # Safety
/// `target` is an entry point that takes these arguments.
#[inline(always)]
pub unsafe fn switching(target: *const (), [rdi, rsi]: [u64; 2]) -> u64 {
    let rax: u64;
    // SAFETY: the entry point keeps rsp, rbp, rbx; all others are given up.
    unsafe {
        asm!(
            "call {target}",
            target = in(reg) target,
            inout("rdi") rdi => _, inout("rsi") rsi => _, lateout("rax") rax,
            out("r12") _, out("r13") _, out("r14") _, out("r15") _,
            clobber_abi("C"),
        );
    }
    rax
}

/// Registers of which just the first hold something: the others cost no instruction.
#[inline(always)]
fn registers<const GIVEN: usize, const ALL: usize>(
    arguments: [u64; GIVEN],
) -> [MaybeUninit<u64>; ALL] {
    const { assert!(GIVEN <= ALL) };
    let mut registers = [MaybeUninit::uninit(); ALL];
    registers
        .iter_mut()
        .zip(arguments)
        .for_each(|(register, argument)| *register = MaybeUninit::new(argument));
    registers
}

/// Calls the entry point whose address stands at `SLOT`, with up to two arguments; it may switch.
///
/// # Safety
/// The entry point takes these arguments.
#[inline(always)]
pub unsafe fn switching_slot<const SLOT: u64, const N: usize>(arguments: [u64; N]) -> u64 {
    let [rdi, rsi]: [_; 2] = registers(arguments);
    let rax: u64;
    // SAFETY: the entry point keeps rsp, rbp, rbx; all others are given up.
    unsafe {
        asm!(
            "call qword ptr [{slot}]",
            slot = const SLOT,
            inout("rdi") rdi => _, inout("rsi") rsi => _, lateout("rax") rax,
            out("r12") _, out("r13") _, out("r14") _, out("r15") _,
            clobber_abi("C"),
        );
    }
    rax
}

/// Calls the answering entry point whose address stands at `SLOT`, with up to three arguments.
///
/// # Safety
/// The entry point takes these arguments.
#[inline(always)]
pub unsafe fn answering_slot<const SLOT: u64, const N: usize>(arguments: [u64; N]) -> u64 {
    let [rdi, rsi, rdx]: [_; 3] = registers(arguments);
    let rax: u64;
    // SAFETY: the entry point keeps what a C function keeps.
    unsafe {
        asm!(
            "call qword ptr [{slot}]",
            slot = const SLOT,
            in("rdi") rdi, in("rsi") rsi, in("rdx") rdx, lateout("rax") rax,
            clobber_abi("C"),
        );
    }
    rax
}

/// Sends through the entry point whose address stands at `SLOT`: head, then four registers.
///
/// # Safety
/// The memory that the message describes stays until this returns.
#[inline(always)]
pub unsafe fn send_slot<const SLOT: u64>(head: u64, [rdx, r10, r8, r9]: [u64; 4]) -> Raw {
    let (status, value, value2): (i64, u64, u64);
    // SAFETY: the entry point keeps rsp, rbp, rbx; all others are given up.
    unsafe {
        asm!(
            "call qword ptr [{slot}]",
            slot = const SLOT,
            inout("rdi") head => _, inout("rdx") rdx => value, inout("r10") r10 => value2, inout("r8") r8 => _, inout("r9") r9 => _,
            lateout("rax") status,
            out("r12") _, out("r13") _, out("r14") _, out("r15") _,
            clobber_abi("C"),
        );
    }
    Raw { status, value, value2 }
}

/// Takes a port's next request through the entry point whose address stands at `SLOT`.
///
/// # Safety
/// The buffer stays until this returns.
#[inline(always)]
pub unsafe fn receive_slot<const SLOT: u64>(port: u64, buffer: u64, length: u64) -> Raw {
    // SAFETY: the caller's promise; the entry point takes its arguments where a send takes its first three.
    unsafe { send_slot::<SLOT>(port, [buffer, length, 0, 0]) }
}
