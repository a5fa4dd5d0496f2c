//! The last words: stop every CPU, say where each was, leave.
//!
//! Text only, past every lock: one CPU panics ([`die`]), the others find [`is_stopping`] in their
//! non-maskable interrupt and report in turn ([`stop_here`]). For each CPU: registers, and code addresses found on its
//! stack (candidates, not a walk: the kernel has no frame pointers). A runner does better: it is told when all stand
//! ([`power::tell_of_panic`]), and unwinds each CPU with the image's tables.

use core::arch::asm;
use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::cpu::{CpuHead, cpu_id};
use crate::layout::PAGE;
use crate::power::{self, Exit};
use crate::text::print_anyway;
use crate::trap::Frame;
use crate::{irq, paging, smp};

/// The CPU that panicked, plus one.
static STOPPING: AtomicU32 = AtomicU32::new(0);
/// CPUs that have reported.
static REPORTED: AtomicU32 = AtomicU32::new(0);
/// Held while a CPU reports.
static TURN: AtomicBool = AtomicBool::new(false);

/// Looks at [`REPORTED`] without progress before the rest are given up.
const PATIENCE: u32 = 5_000_000;
/// Bytes of a stack that are looked through.
const SHOWN: usize = 2048;
/// Code addresses listed.
const CANDIDATES: usize = 24;

macro_rules! say {
    ($($t:tt)*) => { print_anyway(format_args!("{}\n", format_args!($($t)*))) };
}

/// True from the first panic on.
pub fn is_stopping() -> bool {
    // Pairs with: `die`, release.
    STOPPING.load(Ordering::Acquire) != 0
}

/// Stops all CPUs, prints the message and what each CPU was doing, exits with [`Exit::Panic`].
/// `frame` is what a trap interrupted, if one is to blame. A panic on the way here ends the run at once.
pub fn die(message: fmt::Arguments<'_>, frame: Option<&Frame>) -> ! {
    irq::disable();
    let cpu = cpu_id();
    // Pairs with: `is_stopping`, acquire.
    match STOPPING.compare_exchange(0, cpu + 1, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {}
        Err(first) if first == cpu + 1 => {
            say!("panic while panicking: cpu {cpu}: {message}");
            power::exit(Exit::Panic)
        }
        Err(_) => irq::halt(),
    }
    say!("\npanic: cpu {cpu}: {message}");
    match frame {
        Some(frame) => report(cpu, frame),
        None => report(cpu, &here()),
    }
    let others = smp::running() - 1;
    if others > 0 {
        // SAFETY: interrupts are off for good: nothing else runs here.
        let crit = unsafe { percpu::Crit::assume() };
        apic::send_nmi_others(&crit);
        wait_for(others);
    }
    power::tell_of_panic();
    power::exit(Exit::Panic)
}

fn wait_for(others: u32) {
    let (mut seen, mut looks) = (0, 0);
    while seen < others && looks < PATIENCE {
        // Pairs with: `stop_here`, release.
        let now = REPORTED.load(Ordering::Acquire);
        looks = if now == seen { looks + 1 } else { 0 };
        seen = now;
        irq::pause();
    }
    if seen < others {
        say!("{} CPUs did not answer", others - seen);
    }
}

/// Reports and halts: the other CPUs' part, called in their non-maskable interrupt.
pub fn stop_here(frame: &Frame, head: &CpuHead) -> ! {
    // Pairs with: the store below, release: one report after the other.
    while TURN.swap(true, Ordering::Acquire) {
        irq::pause();
    }
    report(head.id(), frame);
    TURN.store(false, Ordering::Release);
    // Pairs with: `wait_for`, acquire.
    REPORTED.fetch_add(1, Ordering::Release);
    irq::halt()
}

/// Prints one CPU's registers and stack.
pub fn report(cpu: u32, frame: &Frame) {
    let f = frame;
    say!(
        "cpu {cpu}: rip {:016x} rsp {:016x} rflags {:x} vector {:#x} error {:#x}",
        f.rip,
        f.rsp,
        f.rflags,
        f.vector,
        f.error
    );
    if frame.from_user() {
        say!("cpu {cpu}: in ring 3");
    } else {
        candidates(cpu, frame);
    }
}

/// Returns the word at a kernel address, if a page is mapped there.
fn word(address: usize) -> Option<u64> {
    if !address.is_multiple_of(8) || !paging::is_kernel_page(address) {
        return None;
    }
    // SAFETY: an aligned word of a mapped page of the kernel's.
    Some(unsafe { (address as *const u64).read_volatile() })
}

/// Returns where a stack can be read: from its pointer, or above the guard page that it ran into.
fn readable(rsp: u64) -> usize {
    let start = rsp as usize & !7;
    if word(start).is_some() { start } else { (start & !(PAGE - 1)).saturating_add(PAGE) }
}

fn candidates(cpu: u32, frame: &Frame) {
    let start = readable(frame.rsp);
    let addresses = (start..start.saturating_add(SHOWN)).step_by(8).map_while(word);
    print_anyway(format_args!("cpu {cpu}: code addresses on the stack:"));
    for address in addresses.filter(|a| is_code(*a as usize)).take(CANDIDATES) {
        print_anyway(format_args!(" {address:x}"));
    }
    say!("");
}

fn is_code(address: usize) -> bool {
    unsafe extern "C" {
        static __text_start: u8;
        static __text_end: u8;
    }
    ((&raw const __text_start) as usize..(&raw const __text_end) as usize).contains(&address)
}

/// Returns where the caller executes: program counter, stack pointer, flags.
#[inline(always)]
fn here() -> Frame {
    let mut frame = Frame::new();
    let registers: *mut Frame = &raw mut frame;
    // SAFETY: stores registers into the frame.
    unsafe {
        asm!(
            "mov [{f} + {rsp}], rsp",
            "lea {t}, [rip]", "mov [{f} + {rip}], {t}",
            "pushfq", "pop {t}", "mov [{f} + {rflags}], {t}",
            f = in(reg) registers, t = out(reg) _,
            rsp = const core::mem::offset_of!(Frame, rsp), rip = const core::mem::offset_of!(Frame, rip),
            rflags = const core::mem::offset_of!(Frame, rflags),
        )
    };
    frame
}
