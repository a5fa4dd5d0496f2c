//! The work behind `./x`: builds for the bare machine, runs QEMU by the `runner` library, tests everything.
//!
//! One file per verb. Nothing here decides what a result means: the exit status is a [`Status`],
//! and what the end of a kernel means is `runner`'s to say.

mod again;
mod archive;
mod beyond;
mod boot;
mod build;
mod cli;
mod collect;
mod doctor;
mod full;
mod gate;
mod guest;
mod host;
mod hosted;
mod list;
mod names;
mod out;
mod place;
mod run;
mod seeds;
mod settings;
mod sim;
mod test;
mod toolchain;
mod trace;
mod why;

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
    /// Figures are worse than the baseline.
    Worse = 4,
    /// Somebody pressed Ctrl-C.
    Interrupted = 130,
}

impl Status {
    /// What a run's end means for us.
    pub fn of(outcome: &runner::Outcome) -> Self {
        Self::from_code(outcome.status())
    }

    /// The status of that number; what nobody knows is a failure to run.
    pub fn from_code(code: i32) -> Self {
        let all = [Self::Passed, Self::Failed, Self::Usage, Self::Boot, Self::Worse];
        match all.into_iter().find(|status| *status as i32 == code) {
            Some(status) => status,
            None if code >= 128 => Self::Interrupted,
            None => Self::Boot,
        }
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        ExitCode::from(status as u8)
    }
}

fn main() -> ExitCode {
    let verb = match cli::parse() {
        Ok(verb) => verb,
        Err(status) => return out::close(status).into(),
    };
    // Part of the source, like what does not build.
    if let Err(wrong) = bench_report::Goals::of_tree() {
        crate::complain!("x: {wrong}");
        return Status::Boot.into();
    }
    let done = match verb {
        cli::Verb::Boot(args) => boot::boot(&args),
        cli::Verb::Test(args) => test::test(&args),
        cli::Verb::Doctor(args) => doctor::doctor(&args),
        cli::Verb::Run(args) => run::run(&args.as_run("bench,stress")),
        cli::Verb::Bench(args) if args.hosted => hosted::run(&args.run),
        cli::Verb::Bench(args) if !args.full.is_empty() => full::run(&args.run, &args.full),
        cli::Verb::Bench(args) => run::run(&args.run.as_run("bench")),
        cli::Verb::Trace(args) => trace::trace(&args),
        cli::Verb::Sim(args) => sim::run(&args),
        cli::Verb::Stress(args) if args.seeds.is_some() => seeds::run(&args),
        cli::Verb::Stress(args) => run::run(&args.as_run()),
    };
    match done {
        Ok(status) => out::close(status).into(),
        Err(error) => {
            crate::complain!("x: {error:#}");
            Status::Boot.into()
        }
    }
}
