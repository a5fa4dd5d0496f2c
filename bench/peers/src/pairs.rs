//! What is compared with whom.

use crate::clock::{cpus, pin};
use crate::options::Options;
use crate::rounds::{Line, across, alone};
use crate::threads::Threads;
use crate::{rings, switches};
use bench_report::hosted::{Pair, foot, head};
use bench_report::table::Style;
use bench_report::{Goals, Match};
use std::fs::File;
use std::io::{IsTerminal, Write, stderr, stdout};
use std::path::Path;

/// Rounds, unless the command line says otherwise.
const ROUNDS: usize = 15;

const RTRB: (&str, &str) = ("rtrb", "0.4.1");
const ARRAY_QUEUE: (&str, &str) = ("ArrayQueue", "0.3.14");
const COROSENSEI: (&str, &str) = ("corosensei", "0.3.4");
const LINE: (&str, &str) = ("bare line", "");

/// Name, peer with its version, whether it does the same, whether two CPUs take part.
type Entry = (&'static str, (&'static str, &'static str), Match, Reach);

/// How many CPUs take part.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    One,
    Two,
}

const PAIRS: [Entry; 10] = [
    ("ring/push_pop", RTRB, Match::Same, Reach::One),
    ("ring/push_pop", ARRAY_QUEUE, Match::Same, Reach::One),
    ("ring/stream", RTRB, Match::Same, Reach::Two),
    ("ring/stream", ARRAY_QUEUE, Match::Same, Reach::Two),
    ("ring/round_trip", RTRB, Match::Same, Reach::Two),
    ("ring/round_trip", LINE, Match::Nearest, Reach::Two),
    ("user/switch", COROSENSEI, Match::Same, Reach::One),
    ("user/create", COROSENSEI, Match::Same, Reach::One),
    // Ours with run queue and join, the peer without a scheduler.
    ("user/yield", COROSENSEI, Match::Nearest, Reach::One),
    ("user/create_join", COROSENSEI, Match::Nearest, Reach::One),
];

/// Compares what matches.
pub fn compare(options: &Options) -> Result<(), String> {
    let chosen: Vec<&Entry> = PAIRS
        .iter()
        .filter(|(name, (peer, _), ..)| {
            name.contains(&options.filter) || peer.contains(&options.filter)
        })
        .collect();
    if chosen.is_empty() {
        return Err(format!("nothing matches {}; --list shows what there is", options.filter));
    }
    if options.list {
        for (name, (peer, version), ..) in chosen {
            println!("{name:<17} {peer} {version}");
        }
        return Ok(());
    }
    let mut records = options.json.as_deref().map(Records::open).transpose()?;
    let mut look = Look::new(options);
    let goals = Goals::builtin();
    let style =
        Style::of(stdout().is_terminal().then_some(80), std::env::var("NO_COLOR").ok().as_deref());
    let cpus = cpus();
    let two = (cpus.len() >= 2).then(|| (cpus[0], cpus[1]));
    if let Some(&first) = cpus.first() {
        pin(first);
    }
    let mut line = two.filter(|_| chosen.iter().any(|entry| entry.3 == Reach::Two)).map(Line::new);
    let threads = Threads::start(cpus.first().copied().unwrap_or(0));
    look.say(&format!("hosted  one process on CPUs {cpus:?}; ticks of the time stamp counter\n"));
    if let Some(line) = &line {
        look.say(&format!("        round trip of a bare cache line: {:.0} ticks\n", line.best()));
    }
    look.say(&head());
    let count = options.rounds.unwrap_or(ROUNDS);
    for entry in chosen {
        if entry.3 == Reach::Two && two.is_none() {
            look.say(&format!("     {:<17} skipped: needs two CPUs\n", entry.0));
            continue;
        }
        let pair = measure(entry, count, &threads, line.as_mut(), two.unwrap_or((0, 0)));
        look.say(&pair.row(&goals, style));
        if let Some(records) = &mut records {
            records.write(&pair.json(&goals, &options.key))?;
        }
    }
    look.say(&foot());
    Ok(())
}

fn measure(
    entry: &Entry,
    count: usize,
    threads: &Threads,
    line: Option<&mut Line>,
    two: (usize, usize),
) -> Pair {
    use rings::{push_pop, round_trip, stream};
    let &(name, (peer, version), matches, reach) = entry;
    // The line as an opponent is measured on its own, beside the one that watches.
    let ball = line.as_deref().map(|line| line.best());
    let mut bare = || line_round_trip(two);
    let mut ours: Box<dyn FnMut() -> f64 + '_> = match name {
        "ring/push_pop" => Box::new(push_pop::ours),
        "ring/stream" => Box::new(|| stream::ours(two)),
        "ring/round_trip" => Box::new(|| round_trip::ours(two)),
        "user/switch" => Box::new(switches::ours_switch),
        "user/create" => Box::new(switches::ours_create),
        "user/yield" => Box::new(|| threads.yields()),
        _ => Box::new(|| threads.create_join()),
    };
    let mut theirs: Box<dyn FnMut() -> f64 + '_> = match (name, peer) {
        ("ring/push_pop", "rtrb") => Box::new(push_pop::rtrb),
        ("ring/push_pop", _) => Box::new(push_pop::array_queue),
        ("ring/stream", "rtrb") => Box::new(|| stream::rtrb(two)),
        ("ring/stream", _) => Box::new(|| stream::array_queue(two)),
        ("ring/round_trip", "rtrb") => Box::new(|| round_trip::rtrb(two)),
        ("ring/round_trip", _) => Box::new(&mut bare),
        ("user/switch" | "user/yield", _) => Box::new(switches::corosensei_switch),
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
        version: version.into(),
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
    fn open(path: &Path) -> Result<Records, String> {
        let name = path.display().to_string();
        let to: Box<dyn Write> = if name == "-" {
            Box::new(stdout())
        } else {
            Box::new(File::create(path).map_err(|error| format!("{name}: {error}"))?)
        };
        Ok(Records { to, name })
    }

    fn write(&mut self, line: &str) -> Result<(), String> {
        writeln!(self.to, "{line}")
            .and_then(|()| self.to.flush())
            .map_err(|error| format!("{}: {error}", self.name))
    }
}
