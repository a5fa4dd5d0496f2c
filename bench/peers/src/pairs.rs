//! What is compared with whom.

use crate::clock::{cpus, model, pin};
use crate::lwkt::Lwkt;
use crate::options::Options;
use crate::rounds::{Line, across, alone};
use crate::tasks::{of_may, of_tokio};
use crate::threads::{Threads, std_create_join, std_park};
use crate::{locks, rings, switches};
use bench_report::hosted::{Pair, foot, head, row};
use bench_report::{Goals, Match, matches, unknown_part};
use std::fs::File;
use std::io::{Write, stderr, stdout};
use std::path::Path;

const RTRB: &str = "rtrb";
const ARRAY_QUEUE: &str = "ArrayQueue";
const COROSENSEI: &str = "corosensei";
const LINE: &str = "bare line";
const STD: &str = "std thread";
const STD_PARK: &str = "std park";
const STD_MUTEX: &str = "std Mutex";
const MAY: &str = "may";
const TOKIO: &str = "tokio";
/// Ourselves, without the other CPU.
const ONE_CPU: &str = "one CPU";

/// Name, peer, whether it does the same, whether two CPUs take part.
type Entry = (&'static str, &'static str, Match, Reach);

/// How many CPUs take part.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    One,
    Two,
}

const PAIRS: [Entry; 23] = [
    ("ring/push_pop", RTRB, Match::Same, Reach::One),
    ("ring/push_pop", ARRAY_QUEUE, Match::Same, Reach::One),
    ("ring/stream", RTRB, Match::Same, Reach::Two),
    ("ring/stream", ARRAY_QUEUE, Match::Same, Reach::Two),
    ("ring/round_trip", RTRB, Match::Same, Reach::Two),
    ("ring/round_trip", LINE, Match::Nearest, Reach::Two),
    ("ring/two_cpus", ONE_CPU, Match::Same, Reach::Two),
    ("ring/crossing", ONE_CPU, Match::Nearest, Reach::Two),
    // Ours is polled, as by a CPU that is busy or waits; the peer's threads sleep.
    ("ring/round_trip", STD_PARK, Match::Nearest, Reach::Two),
    ("lwkt/yield", MAY, Match::Same, Reach::One),
    ("token/exclusive", STD_MUTEX, Match::Nearest, Reach::One),
    ("token/spin_lock", STD_MUTEX, Match::Nearest, Reach::One),
    ("user/switch", COROSENSEI, Match::Same, Reach::One),
    ("user/create", COROSENSEI, Match::Same, Reach::One),
    // Ours with run queue and join, the peer without a scheduler.
    ("user/yield", COROSENSEI, Match::Nearest, Reach::One),
    ("user/yield", MAY, Match::Same, Reach::One),
    ("user/yield", TOKIO, Match::Nearest, Reach::One),
    ("user/round_trip", MAY, Match::Same, Reach::One),
    ("user/round_trip", TOKIO, Match::Nearest, Reach::One),
    ("user/create_join", COROSENSEI, Match::Nearest, Reach::One),
    ("user/create_join", MAY, Match::Same, Reach::One),
    ("user/create_join", TOKIO, Match::Nearest, Reach::One),
    ("user/create_join", STD, Match::Same, Reach::One),
];

/// The peer's version: that of its crate, as locked; of the standard library, the compiler's.
fn version(peer: &str, compiler: &str) -> String {
    let name = match peer {
        ARRAY_QUEUE => "crossbeam-queue",
        STD | STD_PARK | STD_MUTEX => return compiler.trim_start_matches("rustc ").into(),
        crate_name => crate_name,
    };
    let lock = include_str!("../Cargo.lock");
    let (_, rest) =
        lock.split_once(&format!("name = \"{name}\"\nversion = \"")).unwrap_or_default();
    rest.split('"').next().unwrap_or_default().into()
}

/// Compares what matches.
pub fn compare(options: &Options) -> Result<(), Wrong> {
    let chosen_by =
        |filter: &str, (name, peer, ..): &Entry| matches(filter, name) || matches(filter, peer);
    let is_known = |part: &str| PAIRS.iter().any(|entry| chosen_by(part, entry));
    if let Some(part) = unknown_part(&options.filter, is_known) {
        return Err(Wrong::Usage(format!("no pair or peer is called '{part}' (--list)")));
    }
    let chosen: Vec<&Entry> =
        PAIRS.iter().filter(|entry| chosen_by(&options.filter, entry)).collect();
    let mut key = options.key.clone();
    if options.list {
        for (name, peer, ..) in chosen {
            println!("{name:<17} {peer} {}", version(peer, &key.compiler));
        }
        return Ok(());
    }
    let mut records = options.json.as_deref().map(Records::open).transpose()?;
    let mut look = Look::new(options);
    let (goals, style) = (Goals::builtin(), options.style);
    let cpus = cpus();
    let two = (cpus.len() >= 2).then(|| (cpus[0], cpus[1]));
    let first = cpus.first().copied().unwrap_or(0);
    pin(first);
    key.cpu_model = model();
    let mut line = two.filter(|_| chosen.iter().any(|entry| entry.3 == Reach::Two)).map(Line::new);
    let host = Host { threads: Threads::start(first), lwkt: Lwkt::new() };
    look.say(&format!("damselfly {} ({})  {}\n", key.kernel, key.revision(), key.compiler));
    look.say(&format!("mode hosted: ticks of the time stamp counter, {}\n", key.cpu_model));
    if let (Some(line), Some((a, b))) = (&line, two) {
        let best = line.best();
        look.say(&format!("bare cache line, CPU {a} to {b} and back: {best:.0} ticks at best\n"));
    }
    look.say(&head(style));
    let mut pairs = Vec::new();
    for entry in chosen {
        if entry.3 == Reach::Two && two.is_none() {
            look.say(&format!("     {:<17}{:<13} skipped: needs two CPUs\n", entry.0, entry.1));
            continue;
        }
        let pair = measure(
            entry,
            options.rounds,
            &host,
            line.as_mut(),
            two.unwrap_or((0, 0)),
            &key.compiler,
        );
        look.say(&row(&pair, &goals, options.spread, style));
        key.cpus = if entry.3 == Reach::Two { 2 } else { 1 };
        if let Some(records) = &mut records {
            records.write(&pair.json(&goals, &key))?;
        }
        pairs.push(pair);
    }
    look.say(&foot(&pairs, &goals));
    Ok(())
}

/// Why nothing was compared, or not everything written.
pub enum Wrong {
    /// What was asked for makes no sense.
    Usage(String),
    /// The records did not arrive.
    Records(String),
}

/// CPUs of ours that stay between measurements.
struct Host {
    threads: Threads,
    lwkt: Lwkt,
}

fn measure(
    entry: &Entry,
    count: usize,
    host: &Host,
    line: Option<&mut Line>,
    two: (usize, usize),
    compiler: &str,
) -> Pair {
    use rings::{push_pop, round_trip, stream, two_cpus};
    let &(name, peer, matches, reach) = entry;
    // The line as an opponent is measured on its own, beside the one that watches.
    let ball = line.as_deref().map(|line| line.best());
    let mut bare = || line_round_trip(two);
    let mut ours: Box<dyn FnMut() -> f64 + '_> = match name {
        "ring/push_pop" => Box::new(push_pop::ours),
        "ring/stream" => Box::new(|| stream::ours(two)),
        "ring/round_trip" => Box::new(|| round_trip::ours(two)),
        "ring/two_cpus" => Box::new(|| two_cpus::apart(two)),
        "ring/crossing" => Box::new(|| two_cpus::crossing(two)),
        "lwkt/yield" => Box::new(|| host.lwkt.yields()),
        "token/exclusive" => Box::new(locks::token),
        "token/spin_lock" => Box::new(locks::spin_lock),
        "user/switch" => Box::new(switches::ours_switch),
        "user/create" => Box::new(switches::ours_create),
        "user/yield" => Box::new(|| host.threads.yields()),
        "user/round_trip" => Box::new(|| host.threads.round_trip()),
        _ => Box::new(|| host.threads.create_join()),
    };
    let mut theirs: Box<dyn FnMut() -> f64 + '_> = match (name, peer) {
        (_, ONE_CPU) => Box::new(push_pop::ours),
        ("ring/push_pop", RTRB) => Box::new(push_pop::rtrb),
        ("ring/push_pop", _) => Box::new(push_pop::array_queue),
        ("ring/stream", RTRB) => Box::new(|| stream::rtrb(two)),
        ("ring/stream", _) => Box::new(|| stream::array_queue(two)),
        ("ring/round_trip", RTRB) => Box::new(|| round_trip::rtrb(two)),
        ("ring/round_trip", LINE) => Box::new(&mut bare),
        (_, STD_PARK) => Box::new(|| std_park(two)),
        (_, STD_MUTEX) => Box::new(locks::std_mutex),
        ("user/yield" | "lwkt/yield", MAY) => Box::new(of_may::yields),
        ("user/yield", TOKIO) => Box::new(of_tokio::yields),
        ("user/round_trip", MAY) => Box::new(of_may::round_trip),
        ("user/round_trip", _) => Box::new(of_tokio::round_trip),
        (_, MAY) => Box::new(of_may::create_join),
        (_, TOKIO) => Box::new(of_tokio::create_join),
        ("user/switch" | "user/yield", _) => Box::new(switches::corosensei_switch),
        (_, STD) => Box::new(std_create_join),
        _ => Box::new(switches::corosensei_create),
    };
    let kept = match (reach, line) {
        (Reach::Two, Some(line)) => across(count, line, &mut *ours, &mut *theirs),
        _ => alone(count, &mut *ours, &mut *theirs),
    };
    drop((ours, theirs));
    Pair {
        name: name.into(),
        peer: peer.into(),
        version: version(peer, compiler),
        matches,
        rounds: kept.rounds,
        discarded: kept.discarded,
        line: ball.filter(|_| reach == Reach::Two),
    }
}

fn line_round_trip(cpus: (usize, usize)) -> f64 {
    Line::between(cpus).round_trip()
}

/// Where the table goes: not among the records.
enum Look {
    Output,
    Error,
}

impl Look {
    fn new(options: &Options) -> Look {
        if options.json.as_deref() == Some(Path::new("-")) { Look::Error } else { Look::Output }
    }

    fn say(&mut self, text: &str) {
        // Nobody may be reading: the records are what counts.
        let _ = match self {
            Look::Output => stdout().write_all(text.as_bytes()),
            Look::Error => stderr().write_all(text.as_bytes()),
        };
    }
}

/// Where the JSON lines go.
struct Records {
    to: Box<dyn Write>,
    name: String,
}

impl Records {
    fn open(path: &Path) -> Result<Records, Wrong> {
        let name = path.display().to_string();
        let to: Box<dyn Write> = if name == "-" {
            Box::new(stdout())
        } else {
            let file = File::create(path);
            Box::new(file.map_err(|error| Wrong::Usage(not_written(&name, &error)))?)
        };
        Ok(Records { to, name })
    }

    fn write(&mut self, line: &str) -> Result<(), Wrong> {
        writeln!(self.to, "{line}")
            .and_then(|()| self.to.flush())
            .map_err(|error| Wrong::Records(not_written(&self.name, &error)))
    }
}

fn not_written(name: &str, error: &std::io::Error) -> String {
    format!("records cannot be written to {name}: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_has_a_version() {
        for (_, peer, ..) in PAIRS.iter().filter(|(_, peer, ..)| ![LINE, ONE_CPU].contains(peer)) {
            let version = version(peer, "rustc 1.96.0");
            assert!(version.split('.').count() == 3, "{peer}: {version}");
        }
        assert_eq!(version(LINE, "rustc 1.96.0"), "");
    }

    #[test]
    fn every_goal_is_compared() {
        let goals = Goals::builtin();
        let judged = PAIRS.iter().filter(|(name, peer, ..)| goals.ratio(name, peer).is_some());
        assert_eq!(judged.count(), goals.ratios().count());
    }
}
