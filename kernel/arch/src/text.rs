//! Text on the first serial port, for early boot, panics, and runs without the runner.
//!
//! One lock keeps the lines of different CPUs apart. It is the only lock of the kernel that spins with
//! interrupts off; a panic goes past it. Nothing that is measured prints.

use core::arch::asm;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering};

use x86_64::instructions::port::{PortReadOnly, PortWriteOnly};

use crate::irq;

/// First port of the first serial line.
pub(crate) const COM1: u16 = 0x3f8;
/// Line status: the transmitter takes a FIFO's worth.
const READY: u8 = 0x20;
/// Bytes that the transmitter takes at once.
const FIFO: usize = 16;
/// How often the status is asked before a byte is sent anyway: a dead port must not stop the kernel.
const PATIENCE: u32 = 100_000;

static BUSY: AtomicBool = AtomicBool::new(false);

struct Serial;

impl Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        send(text.as_bytes());
        Ok(())
    }
}

fn send(bytes: &[u8]) {
    for chunk in bytes.chunks(FIFO) {
        for _ in 0..PATIENCE {
            // SAFETY: the status register of the serial port.
            if unsafe { PortReadOnly::<u8>::new(COM1 + 5).read() } & READY != 0 {
                break;
            }
            irq::pause();
        }
        // SAFETY: the data register of the serial port.
        unsafe { write_all(COM1, chunk) };
    }
}

/// Writes a run of bytes to one port, in one instruction.
///
/// # Safety
/// The device behind the port does nothing that Rust forbids.
#[inline]
unsafe fn write_all(port: u16, bytes: &[u8]) {
    // SAFETY: the string instruction reads the slice and no more; the device is the caller's word.
    unsafe {
        asm!("rep outsb", in("dx") port, inout("rsi") bytes.as_ptr() => _, inout("rcx") bytes.len() => _,
            options(readonly, nostack, preserves_flags))
    };
}

/// Sets the port up: 115200 baud, 8 bits, no interrupts, FIFOs on.
pub(crate) fn init() {
    const SET_UP: [(u16, u8); 7] = [(1, 0), (3, 0x80), (0, 1), (1, 0), (3, 3), (2, 7), (4, 3)];
    for (register, value) in SET_UP {
        // SAFETY: registers of the serial port.
        unsafe { PortWriteOnly::new(COM1 + register).write(value) };
    }
}

fn locked(f: impl FnOnce()) {
    irq::without(|| {
        // Pairs with the release below.
        while BUSY.swap(true, Ordering::Acquire) {
            irq::pause();
        }
        f();
        // Pairs with the acquire above.
        BUSY.store(false, Ordering::Release);
    });
}

/// Prints; lines of different CPUs do not mix. Interrupts are off meanwhile.
pub fn print(text: fmt::Arguments<'_>) {
    locked(|| print_anyway(text));
}

/// Prints without taking the lock: for panics and traps on stacks of their own.
pub fn print_anyway(text: fmt::Arguments<'_>) {
    // `Serial` returns no errors; one of a `Display` implementation is not ours to report.
    let _ = Serial.write_fmt(text);
}

/// Writes raw bytes (a console write).
pub fn write(bytes: &[u8]) {
    locked(|| send(bytes));
}

/// Port of QEMU's debug console, as the runner sets it up for frames.
const FRAMES: u16 = 0xe9;

/// Writes bytes of frames to the runner. Not locked: the transport has one writer at a time.
pub fn write_frames(bytes: &[u8]) {
    // SAFETY: the debug console takes bytes; without the device they go nowhere.
    unsafe { write_all(FRAMES, bytes) };
}

/// Prints a line on the serial port.
#[macro_export]
macro_rules! textln {
    ($($t:tt)*) => { $crate::text::print(format_args!("{}\n", format_args!($($t)*))) };
}
