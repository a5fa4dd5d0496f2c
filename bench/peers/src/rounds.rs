//! Rounds A B B A, and the cache line that tells whether the host is quiet.

use crate::clock::{pin, ticks};
use std::sync::atomic::{AtomicUsize, Ordering::Acquire, Ordering::Release};
use std::thread;
use std::time::{Duration, Instant};

/// What the bare line may be slower than the best seen, in a quiet round.
const QUIET: f64 = 1.10;
/// Rounds tried for each that is kept, at most.
const TRIES: usize = 4;

/// How long the best line is looked for, at most.
const SEARCH: Duration = Duration::from_millis(500);

/// A measurement: ticks per operation.
pub type Measure<'a> = &'a mut dyn FnMut() -> f64;

/// The rounds that were kept, and how many were not.
pub struct Kept {
    /// Ours and theirs, ticks per operation.
    pub rounds: Vec<(f64, f64)>,
    /// Left out.
    pub discarded: usize,
}

/// Runs `count` rounds on one CPU; all are kept.
pub fn alone(count: usize, ours: Measure<'_>, theirs: Measure<'_>) -> Kept {
    // Warm-up.
    round(ours, theirs);
    Kept { rounds: (0..count).map(|_| round(ours, theirs)).collect(), discarded: 0 }
}

/// Runs rounds between checks with a bare cache line until `count` were quiet. Which were is judged in the end, by the best
/// line of all: a host that was busy from the start does not pass as quiet.
pub fn across(count: usize, line: &mut Line, ours: Measure<'_>, theirs: Measure<'_>) -> Kept {
    round(ours, theirs);
    let mut tried: Vec<((f64, f64), f64)> = Vec::new();
    let mut before = line.check();
    while tried.len() < count * TRIES {
        let figures = round(ours, theirs);
        let after = line.check();
        tried.push((figures, before.max(after)));
        before = after;
        if tried.iter().filter(|(_, trip)| line.is_quiet(*trip)).count() == count {
            break;
        }
    }
    let all = tried.len();
    let rounds: Vec<(f64, f64)> = tried
        .into_iter()
        .filter(|(_, trip)| line.is_quiet(*trip))
        .map(|(figures, _)| figures)
        .collect();
    Kept { discarded: all - rounds.len(), rounds }
}

fn round(ours: Measure<'_>, theirs: Measure<'_>) -> (f64, f64) {
    let (a, b) = (ours(), theirs());
    let (c, d) = (theirs(), ours());
    ((a + d) / 2.0, (b + c) / 2.0)
}

/// The round trip of one cache line between two CPUs.
pub struct Line {
    cpus: (usize, usize),
    best: f64,
}

#[repr(align(128))]
struct Ball(AtomicUsize);

impl Line {
    /// The line between `cpus`, not yet measured.
    pub fn between(cpus: (usize, usize)) -> Line {
        Line { cpus, best: f64::INFINITY }
    }

    /// Finds the best round trip between `cpus`. Tries often, but not for long: a busy host has its quiet moments.
    pub fn new(cpus: (usize, usize)) -> Line {
        let (mut line, start) = (Line::between(cpus), Instant::now());
        for _ in 0..400 {
            line.best = line.best.min(line.round_trip());
            if start.elapsed() > SEARCH {
                break;
            }
        }
        line
    }

    /// The best round trip seen.
    pub fn best(&self) -> f64 {
        self.best
    }

    /// Ticks per round trip now, which may be the best.
    fn check(&mut self) -> f64 {
        let now = self.round_trip();
        self.best = self.best.min(now);
        now
    }

    fn is_quiet(&self, trip: f64) -> bool {
        trip <= self.best * QUIET
    }

    /// Ticks per round trip now.
    pub fn round_trip(&self) -> f64 {
        const TRIPS: usize = 1000;
        let ball = Ball(AtomicUsize::new(0));
        together(
            self.cpus,
            || {
                for i in 0..TRIPS {
                    while ball.0.load(Acquire) != 2 * i + 1 {
                        std::hint::spin_loop();
                    }
                    ball.0.store(2 * i + 2, Release);
                }
            },
            || {
                for i in 0..TRIPS {
                    ball.0.store(2 * i + 1, Release);
                    while ball.0.load(Acquire) != 2 * i + 2 {
                        std::hint::spin_loop();
                    }
                }
            },
        ) / TRIPS as f64
    }
}

/// Runs `other` on the second CPU and `here` on the first, from a common start; ticks until `here` is done.
pub fn together(cpus: (usize, usize), other: impl FnOnce() + Send, here: impl FnOnce()) -> f64 {
    let ready = AtomicUsize::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            pin(cpus.1);
            ready.store(1, Release);
            while ready.load(Acquire) != 2 {
                std::hint::spin_loop();
            }
            other();
        });
        pin(cpus.0);
        while ready.load(Acquire) != 1 {
            thread::yield_now();
        }
        ready.store(2, Release);
        let start = ticks();
        here();
        (ticks() - start) as f64
    })
}
