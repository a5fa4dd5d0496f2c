//! Text for people: whole lines, on the serial port or, when the runner asked for frames, as log records.

use crate::records;
use bench_api::wire::Record;
use core::fmt::{self, Write};
use lwkt_sched::Name;

/// Bytes of a line that is made in place; the rest is cut.
const LINE: usize = 240;

/// A line under construction.
pub(crate) struct Line {
    bytes: [u8; LINE],
    used: usize,
}

impl Line {
    /// Formats a line; what does not fit is cut.
    pub(crate) fn of(text: fmt::Arguments<'_>) -> Self {
        let mut line = Self { bytes: [0; LINE], used: 0 };
        // A cut line is better than none.
        let _ = line.write_fmt(text);
        line
    }

    /// It as text.
    pub(crate) fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.used]).unwrap_or_else(|error| {
            core::str::from_utf8(&self.bytes[..error.valid_up_to()]).unwrap_or_default()
        })
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = LINE - self.used;
        let taken = &text.as_bytes()[..text.len().min(room)];
        self.bytes[self.used..self.used + taken.len()].copy_from_slice(taken);
        self.used += taken.len();
        if taken.len() == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

/// Says a line of the kernel's.
pub fn say(text: fmt::Arguments<'_>) {
    records::emit(&Record::Log { source: "kernel", text: Line::of(text).as_str() });
}

/// Says a line of the kernel's: `say!("{count} CPUs")`.
#[macro_export]
macro_rules! say {
    ($($t:tt)*) => { $crate::console::say(format_args!($($t)*)) };
}

/// Says what a program wrote.
pub(crate) fn write_program(name: Name, bytes: &[u8]) {
    servers::shown::lines(bytes, |text| {
        records::emit(&Record::Log { source: name.as_str(), text });
    });
}
