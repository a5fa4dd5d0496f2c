//! The step that shows that stress tests see bugs: each bug that the kernel knows turns the tests red that it must, and
//! with a message that says what was lost; without one they are green.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use runner::{Outcome, Request};
use servers::options::Plant;

use super::count;
use super::heard::{Heard, hear};
use super::pinned;
use super::side_by_side;
use super::steps::{Done, Step, run, step};
use crate::{build, place, toolchain};

/// The stress tests that are run with each bug: until one has seen it those alone that must, then the others.
const TESTS: &str = "kernel/abort,kernel/callouts,kernel/churn,kernel/cpusync,kernel/heap,kernel/published,kernel/storm,kernel/tokens,kernel/wakes";

/// Seeds that a bug has to be found under: of the first of them a test fails.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=200;

/// A bug, and the tests that must see it, with their messages.
type Seen = (&'static str, &'static [(&'static str, &'static str)]);

const WAKE: &str =
    "a wake was lost ([..]): thread [..] on CPU [..] was woken [..] times and saw [..]";

const SEEN: [Seen; 12] = [
    (
        "lose",
        &[
            (
                "kernel/storm",
                "[..] messages lost, 0 doubled, 0 out of order; first pair CPU [..] to CPU [..]",
            ),
            ("kernel/wakes", WAKE),
        ],
    ),
    (
        "double",
        &[(
            "kernel/storm",
            "0 messages lost, [..] doubled, 0 out of order; first pair CPU [..] to CPU [..]",
        )],
    ),
    (
        "reorder",
        &[(
            "kernel/storm",
            "0 messages lost, 0 doubled, [..] out of order; first pair CPU [..] to CPU [..]",
        )],
    ),
    (
        "lost-doorbell",
        &[
            ("kernel/storm", "a doorbell was lost: messages wait for CPU [..] and nobody told it"),
            ("kernel/wakes", "a doorbell was lost: wakes wait for CPU [..] and nobody told it"),
        ],
    ),
    ("stale-index", &[("kernel/cpusync", "0 questions or answers lost, [..] doubled or late")]),
    ("lost-wake", &[("kernel/wakes", WAKE)]),
    ("leak-page", &[("kernel/churn", "[..] pages leaked")]),
    (
        "token-not-reacquired",
        &[(
            "kernel/tokens",
            "[..] times two threads had a token at once, [..] increments lost[..]",
        )],
    ),
    (
        "double-reply",
        &[("kernel/abort", "[..] replies were delivered twice: a message came back that was away")],
    ),
    (
        "drain-firing",
        &[(
            "kernel/callouts",
            "[..] times a handler ran although a drain of its callout had returned",
        )],
    ),
    ("early-grace", &[("kernel/published", "[..] answers or values were wrong")]),
    ("lost-free", &[("kernel/heap", "[..] objects that were freed never came home")]),
];

/// Bugs that the order of events alone shows: no test fails under seed 0, in which nothing is in another order than usual.
const NOT_BY_ZERO: [&str; 5] =
    ["stale-index", "lost-wake", "token-not-reacquired", "double-reply", "drain-firing"];

/// The step.
pub fn planted() -> Step {
    step(
        "planted",
        "stress tests see every planted bug, by name, within 200 seeds; its replay fails alike",
        || {
            let (kernel, mut done) = (build::kernel(&["plants"], &[])?, Done::default());
            let without = boot(&kernel, TESTS, None, *SEEDS.start())?;
            judge(&without, TESTS, "no bug", &[], &mut done);
            let bugs = Plant::ALL.iter().filter(|(_, plant)| matches!(plant, Plant::Bug(_)));
            let bugs: Vec<&str> = bugs.map(|(name, _)| *name).collect();
            for seen in side_by_side::map(&bugs, |bug| sees(&kernel, bug)) {
                done.add(seen?);
            }
            model_sees_missing_fence(&mut done)?;
            replay(&mut done)?;
            Ok(done)
        },
    )
}

/// Boots with a bug, seed after seed until a test fails of those that must: then all of these do; and no other does under that seed.
fn sees(kernel: &Path, bug: &str) -> Result<Done> {
    let mut done = Done::default();
    let (_, red) = SEEN
        .iter()
        .find(|(name, _)| *name == bug)
        .with_context(|| format!("who is to see {bug}?"))?;
    let who: Vec<&str> = red.iter().map(|(test, _)| *test).collect();
    let own = who.join(",");
    let by_zero = boot(kernel, &own, Some(bug), 0)?.report.outcome != Outcome::Success;
    if NOT_BY_ZERO.contains(&bug) {
        done.count(!by_zero);
    }
    let zero = if by_zero { "also under seed 0" } else { "not under seed 0" };
    for seed in SEEDS {
        let heard = boot(kernel, &own, Some(bug), seed)?;
        if heard.report.outcome != Outcome::Success {
            judge(&heard, &own, bug, red, &mut done);
            let others: Vec<_> = TESTS.split(',').filter(|test| !who.contains(test)).collect();
            let others = others.join(",");
            judge(&boot(kernel, &others, Some(bug), seed)?, &others, bug, &[], &mut done);
            let tried = seed - SEEDS.start() + 1;
            let seeds = if tried == 1 { "seed" } else { "seeds" };
            done.found.push(format!("{bug:<21} {tried:>3} {seeds}, {zero}: {}", who.join(" ")));
            return Ok(done);
        }
    }
    done.count(false);
    done.found.push(format!("{bug:<21} not under {} seeds, {zero}", SEEDS.count()));
    Ok(done)
}

fn boot(kernel: &Path, tests: &str, bug: Option<&str>, seed: u64) -> Result<Heard> {
    let mut request = Request::new(kernel);
    request.seed = seed;
    request.words = ["run=stress", "quick"].map(str::to_owned).into();
    request.words.push(format!("filter={tests}"));
    request.words.extend(bug.map(|name| format!("plant={name}")));
    hear(&request, bug.unwrap_or("no bug"))
}

fn judge(heard: &Heard, tests: &str, name: &str, red: &[(&str, &str)], done: &mut Done) {
    let wrong = wrong(heard, tests, name, red);
    done.count(wrong.is_empty());
    done.output.push_str(&heard.told);
    done.output.push_str(&wrong);
}

/// What x86 cannot show, a model does: a sender's mark that overtakes its push.
fn model_sees_missing_fence(done: &mut Done) -> Result<()> {
    const MODEL: &str = "sees_a_missing_fence";
    let mut cargo = Command::new(toolchain::cargo());
    cargo.current_dir(place::root()).args(["test", "--quiet", "--profile", "models"]);
    cargo.args(["-p", "ipiq", "--features", "loom", "--test", "models", "--target-dir"]);
    cargo.arg(place::out()).args(["--", "--exact", MODEL]);
    let (fine, output) = run(&mut cargo)?;
    let took = output.split("finished in ").nth(1).and_then(|text| text.split('s').next());
    let seconds = took.and_then(|seconds| seconds.parse::<f64>().ok());
    let is_seen = fine && count::libtest(&output) == (1, 0) && seconds.is_some_and(|s| s <= 60.0);
    done.count(is_seen);
    done.found.push(match seconds {
        Some(seconds) if is_seen => {
            format!("{:<21} loom, in {seconds} s: {MODEL}", "missing-fence")
        }
        _ => format!("{:<21} not seen by loom within 60 s", "missing-fence"),
    });
    done.output.push_str(&output);
    Ok(())
}

/// What did not go as it must: all tests run, these fail like this, and no others.
fn wrong(heard: &Heard, tests: &str, name: &str, red: &[(&str, &str)]) -> String {
    let mut wrong = String::new();
    let outcome = if red.is_empty() { Outcome::Success } else { Outcome::TestFailed };
    if heard.report.outcome != outcome {
        wrong.push_str(&format!("{name}: ended with {}\n", heard.report.outcome.name()));
    }
    if heard.collected.parts.len() != tests.split(',').count() {
        wrong.push_str(&format!("{name}: not all of {tests} were run\n"));
    }
    for part in &heard.collected.parts {
        let message = red.iter().find(|(test, _)| *test == part.name).map(|(_, message)| *message);
        let as_it_must = match message {
            Some(message) => !part.ok && pinned::is_like(message, &part.message),
            None => part.ok,
        };
        if !as_it_must {
            let must = message.map_or("pass".to_owned(), |message| format!("fail: {message}"));
            wrong.push_str(&format!("{name}: {} must {must}\n", part.name));
        }
    }
    wrong
}

/// A lost wake fails, and prints a line; typed as it stands, that fails alike, three times of three.
fn replay(done: &mut Done) -> Result<()> {
    const FIRST: &str = "./x stress kernel/wakes --plant lost-wake --quick --seed 7";
    let first = typed(FIRST, done)?;
    let Some(line) = first.output.lines().find_map(|line| line.strip_prefix("again: ")) else {
        done.count(false);
        done.output.push_str("no line says how to do it again\n");
        return Ok(());
    };
    for _ in 0..3 {
        let again = typed(line, done)?;
        let alike = !first.failures.is_empty()
            && again.failures == first.failures
            && again.record == first.record;
        done.count(alike);
        if !alike {
            done.output.push_str(&format!("that is not how it failed first:\n{}", first.output));
        }
    }
    Ok(())
}

/// What came out of a line that was typed.
struct Typed {
    output: String,
    /// The lines that tell of failures, and the exit status.
    failures: Vec<String>,
    /// The record of the test: message, counts, and the order of all events.
    record: String,
}

fn typed(line: &str, done: &mut Done) -> Result<Typed> {
    let mut shell = Command::new("sh");
    shell.current_dir(place::root()).args(["-c", &format!("{line}; echo FAILED with $?")]);
    let (_, output) = run(&mut shell)?;
    done.output.push_str(&format!("$ {line}\n{output}"));
    let failures = output.lines().filter(|line| line.contains("FAIL"));
    // How long the test took stands behind the word.
    let failures = failures.map(|line| line.split("  FAIL  ").next().unwrap_or(line).to_owned());
    let failures: Vec<String> = failures.collect();
    if failures.last().is_none_or(|last| last != "FAILED with 1") {
        bail!("'{line}' does not end as a test that fails:\n{output}");
    }
    let record = std::fs::read_to_string(place::made().join("run.jsonl"))?;
    Ok(Typed { output, failures, record })
}
