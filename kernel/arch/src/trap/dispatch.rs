//! Sorts traps by vector and hands them to the kernel. Entered from [`super::stubs`] only.

use x86_64::registers::rflags::RFlags;

use super::{Frame, vector};
use crate::cpu::CpuHead;
use crate::layout::USER_END;
use crate::{panic, upcall, user};

/// Every trap but the critical ones, the timer and the doorbell from ring 0.
pub(super) extern "C" fn arch_trap(frame: &mut Frame) {
    if matches!(frame.vector, vector::PAGE_FAULT | vector::PROTECTION)
        && !frame.from_user()
        && user::fix_up(frame)
    {
        return;
    }
    match frame.vector {
        0..32 => upcall::core_exception(frame),
        vector::FOREIGN if frame.from_user() => upcall::core_foreign_syscall(frame),
        number => interrupt(number as u8),
    }
    if frame.from_user() {
        arch_user_return(frame);
    }
}

fn interrupt(number: u8) {
    match number {
        vector::TIMER => arch_timer(),
        vector::DOORBELL => arch_doorbell(),
        vector::WAKE => apic::end_of_interrupt(),
        vector::LINE..LINE_END => arch_line(u32::from(number)),
        _ => {
            if apic::in_service(number) {
                apic::end_of_interrupt();
            }
            upcall::core_unexpected_interrupt(number);
        }
    }
}

/// After the last line.
const LINE_END: u8 = vector::LINE + vector::LINES;

pub(super) extern "C" fn arch_line(number: u32) {
    apic::end_of_interrupt();
    upcall::core_line(number as u8 - vector::LINE);
}

pub(super) extern "C" fn arch_timer() {
    apic::end_of_interrupt();
    upcall::core_timer();
}

pub(super) extern "C" fn arch_doorbell() {
    apic::end_of_interrupt();
    upcall::core_doorbell();
}

/// Last step before each `iretq` to ring 3. A return address outside the user half would fault in
/// ring 0 with the user's `gs`; it becomes the program's protection fault instead.
pub(crate) extern "C" fn arch_user_return(frame: &mut Frame) {
    upcall::core_return_to_user(frame);
    while frame.rip >= USER_END as u64 {
        frame.vector = vector::PROTECTION;
        frame.error = 0;
        upcall::core_exception(frame);
        upcall::core_return_to_user(frame);
    }
}

pub(super) extern "C" fn arch_critical(frame: &mut Frame, head: &CpuHead) {
    if frame.vector == vector::NMI && panic::is_stopping() {
        panic::stop_here(frame, head);
    }
    if frame.vector == vector::DEBUG && apic::is_breakpoint() {
        frame.rflags |= RESUME_FLAG;
        return;
    }
    upcall::core_critical_trap(frame, head);
}

/// Lets the instruction at a breakpoint execute.
const RESUME_FLAG: u64 = RFlags::RESUME_FLAG.bits();
