//! Whether this CPU takes interrupts, and how it waits for one.

use core::arch::asm;
use core::sync::atomic::AtomicU32;

use x86_64::instructions::interrupts;

/// Takes interrupts from here on.
///
/// # Safety
/// The caller holds nothing that an interrupt handler of this CPU wants.
#[inline(always)]
pub unsafe fn enable() {
    // SAFETY: the caller's word. One instruction, where `interrupts::enable` is two: this is on measured paths.
    unsafe { asm!("sti", options(nostack)) };
}

/// Takes no interrupts from here on. Safe: it can only delay.
#[inline(always)]
pub fn disable() {
    interrupts::disable();
}

/// True when this CPU takes interrupts.
#[inline(always)]
pub fn enabled() -> bool {
    interrupts::are_enabled()
}

/// Runs `f` with interrupts off and puts them back as they were.
#[inline(always)]
pub fn without<R>(f: impl FnOnce() -> R) -> R {
    let were = enabled();
    disable();
    let result = f();
    if were {
        // SAFETY: they were on when we came.
        unsafe { enable() };
    }
    result
}

/// Gives way inside a spin: to the other hyper-thread, and in QEMU to the next CPU.
#[inline(always)]
pub fn pause() {
    core::hint::spin_loop();
}

/// Sleeps until an interrupt, unless `work` says there is some. Returns with interrupts on.
///
/// The question is asked with interrupts off and `sti; hlt` are adjacent, so that an interrupt
/// that brings work between the two wakes the `hlt`.
///
/// # Safety
/// As [`enable`].
#[inline]
pub unsafe fn idle(work: impl FnOnce() -> bool) {
    disable();
    if work() {
        // SAFETY: the caller's word.
        unsafe { enable() };
    } else {
        // SAFETY: as above; an interrupt ends the wait.
        unsafe { asm!("sti", "hlt", options(nostack)) };
    }
}

/// Sleeps until an interrupt or until the word at `watched` changes, unless `work` says there is something to do; may come
/// back without reason. Returns with interrupts on.
///
/// The watch begins before the question is asked, and `sti; mwait` are adjacent: what comes after the question ends the sleep.
///
/// # Safety
/// As [`enable`]; this CPU has `monitor` and `mwait` ([`crate::features::Features::mwait`]).
#[inline]
pub unsafe fn idle_watching(watched: *const (), work: impl FnOnce() -> bool) {
    disable();
    // SAFETY: arms the watch of an address, and reads it as a load would; the instruction is there (caller).
    unsafe {
        asm!("monitor", in("rax") watched, in("ecx") 0, in("edx") 0, options(nostack, preserves_flags))
    };
    if work() {
        // SAFETY: the caller's word.
        unsafe { enable() };
    } else {
        // SAFETY: as above; an interrupt or a store ends the wait.
        unsafe { asm!("sti", "mwait", in("eax") 0, in("ecx") 0, options(nostack)) };
    }
}

/// Stops this CPU for good.
pub fn halt() -> ! {
    loop {
        // SAFETY: with interrupts off only a non-maskable one comes back, and finds the loop.
        unsafe { asm!("cli", "hlt", options(nomem, nostack)) };
    }
}

/// Adds one to a word that this CPU alone writes, in one instruction: no handler of this CPU comes in between.
#[inline(always)]
pub fn increment(word: &AtomicU32) {
    // SAFETY: adds to an atomic, which the caller shares.
    unsafe { asm!("inc dword ptr [{}]", in(reg) word.as_ptr(), options(nostack)) };
}

/// Takes one from a word as [`increment`] adds it.
#[inline(always)]
pub fn decrement(word: &AtomicU32) {
    // SAFETY: as in `increment`.
    unsafe { asm!("dec dword ptr [{}]", in(reg) word.as_ptr(), options(nostack)) };
}

/// Sets bits of a word that this CPU alone writes, in one instruction.
#[inline(always)]
pub fn set_bits(word: &AtomicU32, bits: u32) {
    // SAFETY: as in `increment`.
    unsafe {
        asm!("or dword ptr [{}], {:e}", in(reg) word.as_ptr(), in(reg) bits, options(nostack))
    };
}

/// Clears bits of a word that this CPU alone writes, in one instruction.
#[inline(always)]
pub fn clear_bits(word: &AtomicU32, bits: u32) {
    // SAFETY: as in `increment`.
    unsafe {
        asm!("and dword ptr [{}], {:e}", in(reg) word.as_ptr(), in(reg) !bits, options(nostack))
    };
}
