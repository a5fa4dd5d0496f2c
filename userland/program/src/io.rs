//! Text, and pipes.

use crate::call::send;
use abi::{Failure, Handle, Input, Output, request};
use core::fmt::{self, Write};

/// Writes text to the console.
#[macro_export]
macro_rules! print {
    ($($argument:tt)*) => { $crate::io::print(::core::format_args!($($argument)*)) };
}

/// Writes a line to the console.
#[macro_export]
macro_rules! println {
    () => { $crate::print!("\n") };
    ($($argument:tt)*) => { $crate::io::print_line(::core::format_args!($($argument)*)) };
}

/// Collects text, so that a line is one message.
struct Line {
    bytes: [u8; 256],
    used: usize,
}

impl Line {
    fn flush(&mut self) {
        let text = Input::of(&self.bytes[..self.used]);
        // A console that refuses has nobody to be told.
        let _ = send(&request::ConsoleWrite { text });
        self.used = 0;
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for &byte in text.as_bytes() {
            if self.used == self.bytes.len() {
                self.flush();
            }
            self.bytes[self.used] = byte;
            self.used += 1;
        }
        Ok(())
    }
}

/// Writes text to the console.
pub fn print(text: fmt::Arguments<'_>) {
    let mut line = Line { bytes: [0; 256], used: 0 };
    let _ = line.write_fmt(text);
    if line.used > 0 {
        line.flush();
    }
}

/// Writes text and a new line to the console.
pub fn print_line(text: fmt::Arguments<'_>) {
    print(format_args!("{text}\n"));
}

/// A pipe: reader, writer.
pub fn pipe() -> Result<(Handle, Handle), Failure> {
    send(&request::Pipe {}).map(|pipe| (pipe.reader, pipe.writer))
}

/// Reads what there is, at least a byte; 0 at the end. Blocks the calling thread only.
pub fn read(from: Handle, into: &mut [u8]) -> Result<usize, Failure> {
    send(&request::Read { from, into: Output::of(into) }).map(|read| read.count as usize)
}

/// Writes at least a byte; says how many. Blocks the calling thread only.
pub fn write(to: Handle, from: &[u8]) -> Result<usize, Failure> {
    send(&request::Write { to, from: Input::of(from) }).map(|written| written.count as usize)
}

/// Writes all bytes.
pub fn write_all(to: Handle, mut from: &[u8]) -> Result<(), Failure> {
    while !from.is_empty() {
        from = &from[write(to, from)?..];
    }
    Ok(())
}

/// Gives a handle back.
pub fn close(handle: Handle) -> Result<(), Failure> {
    send(&request::Close { handle }).map(drop)
}
