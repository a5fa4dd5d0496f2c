use super::*;
use crate::wire::MAX_BYTES;
use crate::{Counter, Counters, Edge, Mode, text};
use core::cell::Cell;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::string::{String, ToString};
use std::vec::Vec;
use std::{thread, vec};

std::thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
    static CPU: Cell<usize> = const { Cell::new(0) };
    static SENT: Cell<u64> = const { Cell::new(0) };
    static PATHS: Cell<Vec<(bool, Vec<u64>)>> = const { Cell::new(Vec::new()) };
}

/// A world whose clock advances 7 per reading, and by what `work` adds.
struct Test;

impl Env for Test {
    fn ticks() -> u64 {
        NOW.set(NOW.get() + 7);
        NOW.get()
    }
    fn cpus() -> usize {
        4
    }
    fn cpu() -> usize {
        CPU.get()
    }
    fn start(cpu: usize, entry: fn(usize), arg: usize) {
        thread::spawn(move || {
            CPU.set(cpu);
            entry(arg);
        });
    }
    fn relax() {
        thread::yield_now();
    }
    fn counters(_: Edge) -> Counters {
        let mut counters = Counters::ZERO;
        counters.set(Counter::IpisSent, SENT.get());
        counters
    }
    fn path(record: &Record<'_>) {
        let mut paths = PATHS.take();
        match record {
            Record::PathBegin {} => paths.push((false, Vec::new())),
            Record::PathEnd { empty, ticks } => {
                *paths.last_mut().expect("it began") = (*empty, ticks.iter().collect());
            }
            _ => unreachable!("only these are sent here"),
        }
        PATHS.set(paths);
    }
}

fn work(ticks: u64) {
    NOW.set(NOW.get() + ticks);
}

crate::bench! {
    name: "t/plain",
    doc: "Eleven ticks.",
    goal: "G3",
    lies: "nothing",
    shape: "flat",
    run: |b| b.iter(|| { work(11); SENT.set(SENT.get() + 1); }),
}

crate::bench! {
    name: "t/batch",
    doc: "Three ticks, twice per call, 10 calls.",
    lies: "nothing",
    shape: "flat",
    run: |b| b.batch(10).ops(2).samples(50).iter(|| work(6)),
}

crate::bench! {
    name: "t/fails",
    doc: "A check that does not hold.",
    lies: "nothing",
    shape: "flat",
    run: |b| { b.iter(|| work(1)); b.check(false, "one is two"); },
}

crate::bench! {
    name: "t/nothing",
    doc: "Measures nothing.",
    lies: "nothing",
    shape: "flat",
    run: |_| (),
}

crate::bench! {
    name: "t/many_cpus",
    doc: "Needs too many CPUs.",
    cpus: 64,
    lies: "nothing",
    shape: "flat",
    run: |b| b.iter(|| ()),
}

crate::bench! { name: "t/twin", doc: "One.", lies: "nothing", shape: "flat", run: |b| b.iter(|| work(1)) }
crate::bench! { name: "t/twin", doc: "Another.", lies: "nothing", shape: "flat", run: |b| b.iter(|| work(2)) }

static LOOPS: AtomicU64 = AtomicU64::new(0);
static MASK: AtomicUsize = AtomicUsize::new(0);

crate::bench! {
    name: "t/peers",
    doc: "Counts what others do meanwhile.",
    cpus: 4,
    curve: Curve::Cpus,
    unit: Unit::Count("things"),
    lies: "nothing",
    shape: "flat",
    run: |b| b.on_each(1..4, |peer| {
        MASK.fetch_or(1 << peer.cpu(), SeqCst);
        while !peer.stopped() {
            LOOPS.fetch_add(1, SeqCst);
            peer.relax();
        }
    }, |b| {
        while MASK.load(SeqCst) != 0b1110 {
            b.relax();
        }
        b.samples(5).iter_count(|i| 100 + i as u64);
    }),
}

const SETTINGS: Settings<'static> =
    Settings { mode: Mode::Insns, quick: true, seed: 1, filter: "", why: false, curves: false };

fn records(filter: &str, quick: bool) -> (Outcome, Vec<Vec<u8>>) {
    let settings = Settings { quick, filter, ..SETTINGS };
    let mut samples = vec![0; 4096];
    let mut sent = Vec::new();
    let outcome = run::<Test>(&settings, &mut samples, &mut |record| {
        let mut buffer = [0; MAX_BYTES];
        sent.push(record.encode(&mut buffer).expect("fits").to_vec());
    });
    (outcome, sent)
}

/// Values and ops of the end record of the only benchmark that matches.
fn figures(filter: &str) -> (Vec<u64>, u64, u64, String) {
    let (_, sent) = records(filter, false);
    let Ok(Record::BenchEnd { summary, ops, n, message, .. }) =
        Record::decode(sent.last().expect("records"))
    else {
        panic!("no end");
    };
    (summary.iter().collect(), ops, n, message.to_string())
}

#[test]
fn the_overhead_falls_out() {
    assert_eq!(figures("t/plain"), (vec![11; 7], 1, 1000, String::new()));
    assert_eq!(figures("t/batch"), (vec![60; 7], 20, 50, String::new()));
}

#[test]
fn the_window_has_its_counters_without_the_warm_up() {
    let (_, sent) = records("t/plain", false);
    let counters = sent.iter().find_map(|bytes| match Record::decode(bytes) {
        Ok(Record::Counters { values, .. }) => Some(Counters::from_values(values.iter())),
        _ => None,
    });
    assert_eq!(counters.expect("counters").get(Counter::IpisSent), 1000);
}

#[test]
fn outcomes_are_counted_and_reported() {
    let (outcome, _) = records("t/", true);
    assert_eq!(outcome, Outcome { passed: 3, failed: 3, skipped: 1 });
    assert_eq!(figures("t/fails").3, "one is two");
    assert_eq!(figures("t/nothing").3, "nothing was measured");
    let (_, sent) = records("t/many_cpus", false);
    assert!(matches!(
        Record::decode(&sent[1]),
        Ok(Record::BenchSkip { reason: "needs more CPUs", .. })
    ));
}

#[test]
fn a_quick_run_takes_few_samples() {
    let (_, sent) = records("t/plain", true);
    let Ok(Record::BenchEnd { n, .. }) = Record::decode(sent.last().expect("records")) else {
        panic!("no end")
    };
    assert_eq!(n, 8);
}

#[test]
fn peers_run_beside_the_body_and_are_joined() {
    let (values, _, n, message) = figures("t/peers");
    assert_eq!((values[0], values[5], n), (100, 104, 5));
    assert_eq!(message, "");
    let after = LOOPS.load(SeqCst);
    thread::yield_now();
    assert_eq!(LOOPS.load(SeqCst), after, "a peer still runs");
}

#[test]
fn samples_come_in_the_order_taken() {
    let mut sent = Vec::new();
    let samples: Vec<u64> = (0..100).flat_map(|i| [i, i, i * 3]).collect();
    send_samples("x", &samples, &mut |record| {
        let Record::Samples { runs, .. } = record else { panic!("not samples") };
        sent.extend(runs.iter());
    });
    let unpacked: Vec<u64> =
        sent.chunks(2).flat_map(|pair| core::iter::repeat_n(pair[0], pair[1] as usize)).collect();
    assert_eq!(unpacked, samples);
}

#[test]
fn the_list_is_in_the_order_of_names_and_filters() {
    let names = |curves| {
        let mut names = Vec::new();
        list(&Settings { filter: "t/p,t/batch", curves, ..SETTINGS }, &mut |record| {
            let Record::BenchInfo { name, .. } = record else { panic!("not info") };
            names.push(name.to_string());
        });
        names
    };
    assert_eq!(names(false), ["t/batch", "t/peers", "t/plain"]);
    assert_eq!(names(true), ["t/peers"]);
    assert!(!matches("x,,", "t/plain"));
}

#[test]
fn two_of_one_name_are_refused() {
    let (outcome, sent) = records("t/twin", false);
    assert_eq!(outcome, Outcome { passed: 0, failed: 1, skipped: 0 });
    let end = Record::decode(sent.last().expect("records")).expect("ours");
    let Record::BenchEnd { ok: false, n: 0, message, .. } = end else { panic!("{end:?}") };
    assert_eq!(message, "two benchmarks have this name");
}

#[test]
fn text_shows_a_table() {
    let (_, sent) = records("t/batch,t/fails,t/many", true);
    let mut table = String::new();
    text::head(&mut table).expect("a string");
    for bytes in &sent {
        text::line(&mut table, &Record::decode(bytes).expect("ours")).expect("a string");
    }
    assert_eq!(
        table,
        "benchmark                      min       med       p99       max  unit\n\
         t/batch                          3         3         3         3  insns\n\
         t/fails                          1         1         1         1  insns  FAILED: one is two\n\
         t/many_cpus              skipped: needs more CPUs\n"
    );
}

#[test]
fn paths_are_marked_beside_the_same_figures() {
    let measure = |filter, why| {
        let settings = Settings { filter, why, ..SETTINGS };
        let mut ends = Vec::new();
        run::<Test>(&settings, &mut [0; 64], &mut |record| {
            if let Record::BenchEnd { n, summary, .. } = record {
                ends.push((*n, summary.iter().collect::<Vec<_>>()));
            }
        });
        (ends, PATHS.take())
    };
    let (plain, none) = measure("t/plain", false);
    assert_eq!(none, []);
    // The clock's own seven ticks lie in each.
    let followed = vec![(true, vec![7]), (false, vec![18; 3])];
    assert_eq!(measure("t/plain", true), (plain, followed));
    assert_eq!(measure("t/peers", true).1, [], "what is counted has no path");
}
