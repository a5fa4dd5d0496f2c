//! What stands in the file for what was recorded.

use std::collections::HashMap;

use probe::{Event, Kind, Record, letters};
use serde_json::Value;

use super::{Facts, Timeline};

fn record(tick: u64, kind: Kind, words: [u64; 3]) -> Record {
    let [first, second, third] = words;
    Record { tick, kind: kind as u32, first: first as u32, second, third }
}

fn started(tick: u64, thread: u64, name: &str) -> Record {
    let [second, third] = letters(name);
    record(tick, Kind::started, [thread, second, third])
}

/// The objects of the file.
fn written(timeline: &Timeline) -> Vec<Value> {
    let mut out = Vec::new();
    let function = |address| (address == 0x1000).then(|| "thread::wake_here".to_owned());
    timeline.write(&mut out, &Facts { tick_hz: 1_000_000_000, function: &function }).unwrap();
    let file: Value = serde_json::from_slice(&out).expect("it is JSON");
    file["traceEvents"].as_array().expect("a list of events").clone()
}

/// Slices of a track: name, begin and length in ticks.
fn slices(all: &[Value], track: &str) -> Vec<(String, u64, u64)> {
    let named = |one: &&Value| one["ph"] == "M" && one["args"]["name"] == track;
    let tid = &all.iter().find(named).expect("there is such a track")["tid"];
    let ticks = |value: &Value| (value.as_f64().unwrap() * 1000.0).round() as u64;
    all.iter()
        .filter(|one| one["ph"] == "X" && one["tid"] == *tid)
        .map(|one| {
            (one["name"].as_str().unwrap().to_owned(), ticks(&one["ts"]), ticks(&one["dur"]))
        })
        .collect()
}

#[test]
fn a_wake_of_another_cpu() {
    let mut timeline = Timeline::default();
    timeline.begin(0, 3, vec![("sent".to_owned(), 4)]);
    timeline.take(&[
        started(10, 0xa0, "main"),
        record(20, Kind::switched, [0xa0, 0, 0]),
        record(30, Kind::sent, [0x40, 0x1000, 7]),
        record(31, Kind::rung, [1, 0, 0]),
        record(32, Kind::avoided, [1, 0, 0]),
        record(50, Kind::rests, [0, 0, 0]),
    ]);
    timeline.begin(1, 0, vec![("sent".to_owned(), 1)]);
    timeline.take(&[
        started(11, 0xb0, "sleeper"),
        record(12, Kind::rests, [0, 0, 0]),
        record(40, Kind::ran, [0x40, 0x1000, 7]),
        record(44, Kind::woke, [0xb0, 0, 0]),
        record(45, Kind::switched, [0xb0, 0, 0]),
        record(60, Kind::waits, [5, 0, 0]),
        record(60, Kind::rests, [0, 0, 0]),
    ]);
    let all = written(&timeline);
    let owned = |list: &[(&str, u64, u64)]| -> Vec<_> {
        list.iter().map(|(name, at, long)| ((*name).to_owned(), *at, *long)).collect()
    };
    assert_eq!(slices(&all, "CPU 0"), owned(&[("main", 10, 30), ("rests", 40, 10)]));
    assert_eq!(
        slices(&all, "CPU 1"),
        owned(&[("rests", 2, 33), ("sleeper", 35, 15), ("rests", 50, 1)])
    );
    assert_eq!(slices(&all, "CPU 1 events"), owned(&[("thread::wake_here", 30, 4)]));
    let arrows: Vec<_> = all.iter().filter(|one| one["cat"] == "call").collect();
    let [tail, head] = arrows[..] else { panic!("one arrow: {arrows:?}") };
    assert_eq!((&tail["ph"], &head["ph"], &tail["id"]), (&"s".into(), &"f".into(), &head["id"]));
    let names: Vec<_> =
        all.iter().filter(|one| one["ph"] == "i").map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["rung CPU 1", "avoided CPU 1", "woke sleeper", "waits for time"]);
    let curves: Vec<_> =
        all.iter().filter(|one| one["ph"] == "C").map(|one| &one["args"]).collect();
    assert_eq!(
        curves,
        [
            &serde_json::json!({ "sent": 1, "avoided": 0 }),
            &serde_json::json!({ "sent": 1, "avoided": 1 })
        ]
    );
    assert_eq!((timeline.events(), timeline.lost()), (13, (3, 0)));
    let sent = timeline.counts().into_iter().find(|(kind, _)| *kind == Kind::sent);
    assert_eq!(sent, Some((Kind::sent, 5)));
}

/// What left before the log begins, or left and never came, has no arrow.
#[test]
fn an_arrow_has_two_ends() {
    let mut timeline = Timeline::default();
    timeline.begin(0, 0, Vec::new());
    timeline.take(&[
        record(10, Kind::ran, [1, 0x1000, 0]),
        record(20, Kind::put, [2, 0, 0]),
        record(30, Kind::put, [2, 0, 0]),
        record(40, Kind::received, [2, 0, 0]),
        record(50, Kind::received, [2, 0, 0]),
        record(60, Kind::replied, [2, 0, 0]),
    ]);
    let all = written(&timeline);
    let ends: Vec<_> = all.iter().filter(|one| one["ph"] == "s" || one["ph"] == "f").collect();
    assert_eq!(ends.len(), 2);
    assert_eq!((ends[0]["ts"].as_f64(), ends[1]["ts"].as_f64()), (Some(0.02), Some(0.03)));
}

/// A thread goes to another CPU, where it is borrowed from; the line of the borrower was raised twice before.
#[test]
fn a_move_and_a_borrowed_switch() {
    let mut timeline = Timeline::default();
    timeline.begin(0, 0, Vec::new());
    timeline.take(&[started(1, 0xa0, "mover"), record(2, Kind::leaves, [0xa0, 1, 0])]);
    timeline.begin(1, 0, Vec::new());
    timeline.take(&[
        started(1, 0xb0, "disk"),
        record(4, Kind::came, [0xa0, 0, 0]),
        record(5, Kind::switched, [0xa0, 0, 0]),
        record(6, Kind::raised, [3, 1, 0]),
        record(7, Kind::raised, [3, 0, 0]),
        record(8, Kind::borrowed, [0xb0, 0xa0, 0]),
        record(9, Kind::handles, [3, 2, 0]),
        record(11, Kind::returned, [0xa0, 0, 0]),
        record(12, Kind::refused, [4, 0xb0, 0]),
        // Of another CPU than it was raised on.
        record(13, Kind::raised, [4, 0, 0]),
    ]);
    timeline.begin(2, 0, Vec::new());
    timeline.take(&[record(14, Kind::handles, [4, 1, 0])]);
    let all = written(&timeline);
    let ends = |way: &str| -> Vec<_> {
        let of = all.iter().filter(|one| one["cat"] == way);
        of.map(|one| (one["ts"].as_f64().unwrap() * 1000.0).round() as u64 + 1).collect()
    };
    assert_eq!(ends("thread"), [2, 4]);
    assert_eq!(ends("line"), [6, 9]);
    let names: Vec<_> = all
        .iter()
        .filter(|one| one["ph"] == "i")
        .map(|one| one["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        names,
        [
            "mover leaves for CPU 1",
            "came mover",
            "raised line 3, in a critical section",
            "raised line 3",
            "disk borrows from mover",
            "handles line 3",
            "returned to mover",
            "disk does not preempt: critical",
            "raised line 4",
            "handles line 4"
        ]
    );
}

/// A kernel that ended early: what was not written to its end is left out.
#[test]
fn logs_that_were_found_in_memory() {
    let mut timeline = Timeline::default();
    let records = [
        record(20, Kind::rests, [0, 0, 0]),
        record(3, Kind::woke, [9, 0, 0]),
        Record::ZERO,
        record(22, Kind::rested, [0, 0, 0]),
    ];
    let bytes: Vec<u8> = records.iter().flat_map(|record| record.to_bytes()).collect();
    timeline.recover(1, 5, &[2, 1], &bytes);
    assert!(timeline.is_recovered);
    assert_eq!((timeline.events(), timeline.lost()), (2, (5, 0)));
    assert_eq!(timeline.counts()[..2], [(Kind::ALL[0], 2), (Kind::ALL[1], 1)]);
}

/// Every kind can be written, also first of all and with words that make no sense.
#[test]
fn whatever_was_recorded_is_written() {
    let mut timeline = Timeline::default();
    timeline.begin(3, 0, Vec::new());
    let mut records: Vec<_> = Kind::ALL
        .iter()
        .map(|kind| record(7, *kind, [u64::from(u32::MAX), u64::MAX, u64::MAX]))
        .collect();
    records.push(Record { kind: 1 << 20, ..records[0] });
    timeline.take(&records);
    assert_eq!((timeline.events(), timeline.lost()), (Kind::ALL.len(), (0, 1)));
    let mut by_phase: HashMap<String, usize> = HashMap::new();
    for one in written(&timeline) {
        *by_phase.entry(one["ph"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert!(by_phase["X"] >= 4 && by_phase["i"] >= 10, "{by_phase:?}");
    assert_eq!(Event::decode(&records[0]).map(|event| event.kind), Some(Kind::ALL[0]));
}
