//! `./x bench --hosted`: our rings and user threads against other crates, in one process on real silicon.
//!
//! Counts of instructions see no cache miss, no locked bus, no mispredicted branch; this does. Both sides of a pair run
//! interleaved on the same CPUs with the same payload, and only their ratio is claimed.

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod clock;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod locks;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod lwkt;
mod options;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod pairs;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod rings;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod rounds;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod switches;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod tasks;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod threads;

use options::Options;
use std::io::Write;
use std::process::ExitCode;

/// As of `./x`: the command line makes no sense; something could not be done.
const USAGE: u8 = 2;
const BROKEN: u8 = 3;

fn main() -> ExitCode {
    match Options::parse(std::env::args().skip(1)) {
        Ok(options) => compare(&options),
        Err(wrong) => refuse(&wrong, USAGE),
    }
}

fn refuse(wrong: &str, status: u8) -> ExitCode {
    // Nobody may be reading.
    let _ = writeln!(std::io::stderr(), "x: {wrong}");
    ExitCode::from(status)
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn compare(options: &Options) -> ExitCode {
    match pairs::compare(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(pairs::Wrong::Usage(wrong)) => refuse(&wrong, USAGE),
        Err(pairs::Wrong::Records(wrong)) => refuse(&wrong, BROKEN),
    }
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
fn compare(_: &Options) -> ExitCode {
    println!("hosted  skipped: the comparison needs x86-64 silicon and Linux");
    ExitCode::SUCCESS
}
