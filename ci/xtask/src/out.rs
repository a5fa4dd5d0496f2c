//! Lines on standard output, and on standard error.
//!
//! Law: who reads them may leave, and that changes nothing; what cannot be written to standard output for another reason is
//! said at the end, and no run whose table was lost counts as passed.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::sync::Mutex;

use crate::Status;

/// The first error in writing.
static BROKEN: Mutex<Option<String>> = Mutex::new(None);

/// Writes text as it is.
pub fn text(text: Arguments<'_>) {
    let mut out = io::stdout().lock();
    if let Err(error) = out.write_fmt(text).and_then(|()| out.flush()) {
        note(&error);
    }
}

/// Writes a line: `say!("{count} passed")`.
#[macro_export]
macro_rules! say {
    ($($part:tt)*) => { $crate::out::text(format_args!("{}\n", format_args!($($part)*))) };
}

/// Writes a line to standard error: `complain!("x: {why}")`. If that is lost there is nobody else to tell.
#[macro_export]
macro_rules! complain {
    ($($part:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), $($part)*);
    }};
}

/// Notes that something could not be written.
pub fn note(error: &io::Error) {
    if error.kind() != ErrorKind::BrokenPipe {
        BROKEN.lock().expect("no holder of this lock panics").get_or_insert(error.to_string());
    }
}

/// How a run ends that had ended with `status`, now that all is written.
pub fn close(status: Status) -> Status {
    match BROKEN.lock().expect("no holder of this lock panics").take() {
        None => status,
        Some(error) => {
            crate::complain!("x: standard output: {error}");
            if status == Status::Passed { Status::Boot } else { status }
        }
    }
}
