//! `./x sim`: workloads on virtual CPUs, a column for each policy.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ::workload::{LONGEST, form};
use sim::against::{Held, Played};
use sim::options::Options;
use sim::{Costs, Run, Setting, Streams, Workload, digest, json, table, workload};

/// As of `./x`: a check failed; the command line makes no sense; something could not be done.
const FAILED: u8 = 1;
const USAGE: u8 = 2;
const BROKEN: u8 = 3;

/// What stands for all workloads that ship.
const ALL: &str = "all";

enum Wrong {
    Usage(String),
    Broken(String),
    /// A kernel has counted something else. It has been printed.
    Apart,
}

fn main() -> ExitCode {
    let done = Options::parse(std::env::args().skip(1)).map_err(Wrong::Usage).and_then(|options| {
        match &options.workload {
            None => list(&options.workloads),
            Some(all) if all == Path::new(ALL) => run_all(&options),
            Some(asked) => run(asked, &options),
        }
    });
    let (wrong, status) = match done {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Wrong::Usage(wrong)) => (wrong, USAGE),
        Err(Wrong::Broken(wrong)) => (wrong, BROKEN),
        Err(Wrong::Apart) => return ExitCode::from(FAILED),
    };
    // Nobody may be reading.
    let _ = writeln!(std::io::stderr(), "x: {wrong}");
    ExitCode::from(status)
}

/// The workloads that ship.
fn shipped(folder: &Path) -> Result<Vec<PathBuf>, Wrong> {
    let entries = std::fs::read_dir(folder)
        .map_err(|error| Wrong::Broken(format!("{}: {error}", folder.display())))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension() == Some(OsStr::new("toml")))
        .collect();
    files.sort();
    Ok(files)
}

fn list(folder: &Path) -> Result<(), Wrong> {
    let mut text = String::new();
    for file in shipped(folder)? {
        let Workload { name, about, .. } = workload::read(&file).map_err(Wrong::Broken)?;
        text += &format!("{name:<10} {about}\n");
    }
    say(&text)
}

/// Where the workload is: a file, or one that ships, by its name.
fn find(asked: &Path, folder: &Path) -> Result<PathBuf, Wrong> {
    if asked.extension() == Some(OsStr::new("toml")) {
        return Ok(asked.to_owned());
    }
    let files = shipped(folder)?;
    let names: Vec<_> = files.iter().filter_map(|file| file.file_stem()?.to_str()).collect();
    match names.iter().position(|name| Path::new(name) == asked) {
        Some(at) => Ok(files[at].clone()),
        None => Err(Wrong::Usage(format!(
            "no workload is called '{}'; there are {}, or a file NAME.toml, or {ALL} of them in short",
            asked.display(),
            names.join(", ")
        ))),
    }
}

/// What is played: what the file says, but for what was asked for.
fn workload_of(asked: &Path, options: &Options) -> Result<Workload, Wrong> {
    let mut workload = workload::read(&find(asked, &options.workloads)?).map_err(Wrong::Usage)?;
    workload = workload.stretched(options.stretch);
    if options.jobs.is_some() {
        (workload.jobs, workload.duration) = (options.jobs, LONGEST);
    }
    Ok(workload)
}

fn run(asked: &Path, options: &Options) -> Result<(), Wrong> {
    let workload = workload_of(asked, options)?;
    if options.form.is_some() || options.played.is_some() {
        return against(workload, options);
    }
    let setting = setting(options, Streams::Each);
    let (runs, lines) = under_each(&workload, setting, options)?;
    let text = table::head(&workload, setting) + &table::table(&runs);
    tell(&text, &lines, options)
}

/// All workloads that ship, each in a few lines.
fn run_all(options: &Options) -> Result<(), Wrong> {
    if options.form.is_some() || options.played.is_some() {
        return Err(Wrong::Usage("a kernel plays one workload at a time".to_owned()));
    }
    let setting = setting(options, Streams::Each);
    let (mut text, mut lines) = (digest::head(setting), String::new());
    let mut foot = String::new();
    for file in shipped(&options.workloads)? {
        let workload = workload_of(&file, options)?;
        let (runs, more) = under_each(&workload, setting, options)?;
        text += &digest::rows(&workload, &runs);
        lines += &more;
        // They have the same costs under each workload.
        foot = digest::foot(&runs);
    }
    tell(&(text + &foot), &lines, options)
}

fn setting(options: &Options, streams: Streams) -> Setting {
    Setting { cpus: options.cpus, seed: options.seed, streams }
}

/// A workload under each combination of policies, and the records of that.
fn under_each<'o>(
    workload: &Workload,
    setting: Setting,
    options: &'o Options,
) -> Result<(Vec<Run<'o>>, String), Wrong> {
    let (mut runs, mut lines) = (Vec::new(), String::new());
    for policies in options.policies() {
        let costs = Costs::read(&options.costs, policies).map_err(Wrong::Broken)?;
        let report = sim::run(policies, workload, &costs, setting).map_err(Wrong::Usage)?;
        let run = Run { policies, costs, report };
        lines += &json::lines(workload, setting, &run);
        runs.push(run);
    }
    Ok((runs, lines))
}

/// Prints a table, and puts the records where they are wanted.
fn tell(text: &str, lines: &str, options: &Options) -> Result<(), Wrong> {
    match options.json.as_deref() {
        None => say(text),
        // The table goes where it is in nobody's way.
        Some(file) if file == Path::new("-") => {
            eprint!("{text}");
            say(lines)
        }
        Some(file) => {
            let why = |error| format!("records cannot be written to {}: {error}", file.display());
            std::fs::write(file, lines).map_err(|error| Wrong::Usage(why(error)))?;
            say(text)
        }
    }
}

/// Writes down what a kernel is to play, or holds what it played against the same on virtual CPUs.
fn against(workload: Workload, options: &Options) -> Result<(), Wrong> {
    let usage = |why: &str| Err(Wrong::Usage(why.to_owned()));
    let [policies] = options.policies()[..] else {
        return usage("a kernel has one run queue, and one doorbell");
    };
    if workload.jobs.is_none() {
        return usage("a kernel plays a workload to its end: say how many --jobs a thread has");
    }
    let setting = setting(options, Streams::One);
    let costs = Costs::read(&options.costs, policies).map_err(Wrong::Broken)?;
    let report = sim::run(policies, &workload, &costs, setting).map_err(Wrong::Usage)?;
    if !report.is_over {
        return usage("it does not come to its end, as far as the simulator looks");
    }
    if let Some(file) = &options.form {
        let duration = report.duration + report.duration / 20 + SPARE;
        let form = form::encode(&Workload { duration, ..workload });
        return std::fs::write(file, form)
            .map_err(|error| Wrong::Broken(format!("{}: {error}", file.display())));
    }
    let Some(file) = &options.played else { return Ok(()) };
    let played = Played::read(file).map_err(Wrong::Broken)?;
    let (cpus, seed) = (setting.cpus as u64, setting.seed);
    if (played.workload.as_str(), played.cpus, played.seed) != (&workload.name, cpus, seed) {
        let why = format!("{}: another workload, machine or seed", file.display());
        return Err(Wrong::Broken(why));
    }
    let rows = sim::against::rows(&workload, &report, &played);
    say(&(table::against_head(&workload, policies, setting, options.stretch)
        + &sim::against::table(&rows)))?;
    let apart = rows.iter().any(|row| row.held() == Held::Apart);
    if apart { Err(Wrong::Apart) } else { Ok(()) }
}

/// Nanoseconds that a kernel may take longer, beside a twentieth of what is foreseen.
const SPARE: u64 = 10_000_000;

/// Writes to standard output. Who reads it may leave.
fn say(text: &str) -> Result<(), Wrong> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Wrong::Broken(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}
