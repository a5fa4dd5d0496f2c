//! What the kernel says when something went wrong: deadlock, its own faults, a program's.

use crate::cpu::{self, Cpu};
use crate::process::Carrier;
use crate::process::space::{SpaceError, Use};
use crate::records;
use crate::{say, timer};
use arch::Frame;
use arch::trap::vector;
use bench_api::wire::Record;
use core::fmt;
use percpu::Crit;

/// Nobody can ever run again: names every thread and what it waits for, and ends the run.
pub(crate) fn deadlock(crit: &Crit, here: &'static Cpu) -> ! {
    say!(
        "deadlock: all {} CPUs are halted, no timer is armed, no message is under way",
        cpu::count()
    );
    for cpu in cpu::all() {
        threads(crit, cpu);
    }
    trace::emergency_drain();
    arch::panic::die(
        format_args!("deadlock, noticed by CPU {} at {} ns", here.id().index(), timer::now()),
        None,
    )
}

/// Names the threads of a CPU that stands still.
fn threads(crit: &Crit, cpu: &'static Cpu) {
    // The owner rests in `hlt` and will for ever: nothing changes while this looks.
    cpu.scheduler.with(crit, |scheduler| {
        for thread in scheduler.threads() {
            let line = crate::console::Line::of(format_args!("{thread}"));
            let name = thread.name.as_str();
            let state = line.as_str().strip_prefix(name).unwrap_or(line.as_str()).trim_start();
            let record = Record::Thread { name, cpu: cpu.id().index() as u64, state };
            records::emit(&record);
        }
    });
}

/// An exception in ring 0.
pub(crate) fn kernel_fault(frame: &Frame) -> ! {
    trace::emergency_drain();
    let address = arch::trap::fault_address();
    if frame.vector == vector::PAGE_FAULT {
        overflow(frame, address);
    }
    let name = Exception { frame, address: address as u64 };
    arch::panic::die(format_args!("{name} in the kernel"), Some(frame))
}

/// Ends the run if `address` is in the guard page below a kernel stack.
fn overflow(frame: &Frame, address: usize) {
    if let Some((cpu, slot)) = arch::stack::guard(address) {
        arch::panic::die(
            format_args!("the kernel stack in slot {slot} of CPU {cpu} overflowed"),
            Some(frame),
        );
    }
}

/// A trap that may come at any instruction.
#[unsafe(no_mangle)]
fn core_critical_trap(frame: &mut Frame, head: &arch::CpuHead) {
    if arch::panic::is_stopping() {
        arch::panic::stop_here(frame, head);
    }
    if frame.vector == vector::DOUBLE_FAULT {
        // The page fault found no room for its own frame: the stack pointer is at the guard page or in it.
        overflow(frame, arch::trap::fault_address());
    }
    let address = arch::trap::fault_address() as u64;
    let name = Exception { frame, address };
    arch::panic::die(format_args!("{name} on CPU {}", head.id()), Some(frame))
}

/// A program did what it may not, or there is no memory for a page that it may use; it ends.
pub(crate) fn program_fault(carrier: &Carrier, frame: &Frame, address: u64, why: SpaceError) {
    match why {
        SpaceError::NoMemory => {
            ended(carrier, frame, format_args!("no memory for the page of {address:#x}, wanted"));
        }
        _ => ended(carrier, frame, format_args!("{}", Exception { frame, address })),
    }
}

fn ended(carrier: &Carrier, frame: &Frame, why: fmt::Arguments<'_>) {
    say!(
        "program {} ended: {why} at {:#x} (CPU process {} on CPU {}, sp {:#x})",
        carrier.process.name(),
        frame.rip,
        carrier.index(),
        carrier.cpu().index(),
        frame.rsp
    );
}

/// An exception in words.
struct Exception<'a> {
    frame: &'a Frame,
    address: u64,
}

impl fmt::Display for Exception<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = self.frame.error;
        match self.frame.vector {
            vector::DIVISION => f.write_str("division by zero"),
            vector::DEBUG => f.write_str("debug trap"),
            vector::NMI => f.write_str("non-maskable interrupt"),
            vector::BREAKPOINT => f.write_str("breakpoint instruction"),
            vector::UNDEFINED => f.write_str("undefined instruction (vector instructions are off)"),
            vector::UNAVAILABLE => {
                f.write_str("vector or floating-point instruction, which are off")
            }
            vector::DOUBLE_FAULT => f.write_str("double fault"),
            vector::PROTECTION => {
                write!(f, "privileged instruction or non-canonical address (error {error:#x})")
            }
            vector::PAGE_FAULT => {
                let verb = match crate::process::wanted(self.frame) {
                    Use::Read => "read of",
                    Use::Write => "write to",
                    Use::Execute => "jump to",
                };
                let why = if self.frame.lacks_page() { "nothing is mapped" } else { "not allowed" };
                write!(f, "{verb} {:#x}, where {why},", self.address)
            }
            vector::MACHINE_CHECK => f.write_str("machine check"),
            vector::UNALIGNED => f.write_str("unaligned access"),
            number => write!(f, "exception {number} (error {error:#x})"),
        }
    }
}

/// An interrupt that nobody asked for: counted.
#[unsafe(no_mangle)]
fn core_unexpected_interrupt(_: u8) {
    cpu::handle(|crit| cpu::here().counters.unexpected.add(crit, 1));
}
