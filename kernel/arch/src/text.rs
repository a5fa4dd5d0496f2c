//! Text on the first serial port, for early boot, panics, and runs without the runner.

use core::fmt;

/// Prints; lines of different CPUs do not mix. Interrupts are off meanwhile.
pub fn print(text: fmt::Arguments<'_>) { todo!() }
/// Prints without taking the lock: for panics.
pub fn print_anyway(text: fmt::Arguments<'_>) { todo!() }
/// Writes raw bytes (a console write).
pub fn write(bytes: &[u8]) { todo!() }

/// Prints a line on the serial port.
#[macro_export]
macro_rules! textln {
    ($($t:tt)*) => { $crate::text::print(format_args!("{}\n", format_args!($($t)*))) };
}
