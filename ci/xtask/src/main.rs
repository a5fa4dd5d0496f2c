//! The work behind `./x`: builds for the bare machine, runs QEMU by the `runner` library, tests everything.
//!
//! One file per verb. Nothing here decides what a result means: the exit status is a [`Status`],
//! and what the end of a kernel means is `runner`'s to say.

mod archive;
mod boot;
mod build;
mod cli;
mod doctor;
mod place;
mod test;
mod toolchain;

use std::process::ExitCode;

/// What `./x` ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Everything asked for was done, and passed.
    Passed = 0,
    /// A test failed.
    Failed = 1,
    /// The command line made no sense.
    Usage = 2,
    /// The kernel did not build, boot or end.
    Boot = 3,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        ExitCode::from(status as u8)
    }
}

fn main() -> ExitCode {
    let verb = match cli::parse() {
        Ok(verb) => verb,
        Err(status) => return status.into(),
    };
    let done = match verb {
        cli::Verb::Boot(args) => boot::boot(&args),
        cli::Verb::Test(args) => test::test(&args),
        cli::Verb::Doctor(args) => doctor::doctor(&args),
        cli::Verb::Run(_) | cli::Verb::Bench(_) | cli::Verb::Stress(_) => {
            Err(anyhow::anyhow!("the kernel has no benchmarks and no stress tests yet"))
        }
    };
    match done {
        Ok(status) => status.into(),
        Err(error) => {
            eprintln!("x: {error:#}");
            Status::Boot.into()
        }
    }
}
