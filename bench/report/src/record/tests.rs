use super::*;
use bench_api::wire::{MAX_BYTES, Named, VERSION, Values};

fn feed(collector: &mut Collector, record: Record<'_>) -> Result<Event, RecordError> {
    let mut buffer = [0; MAX_BYTES];
    collector.feed(record.encode(&mut buffer).expect("fits"))
}

fn end<'a>(n: u64, summary: &'a [u64; 7]) -> Record<'a> {
    Record::BenchEnd {
        name: "a/b",
        goal: "G1",
        ok: true,
        unit: "insns",
        n,
        warmup: 2,
        batch: 1,
        ops: 2,
        overhead: 9,
        overhead_max: 9,
        summary: Values::Plain(summary),
        message: "",
    }
}

fn parts(collector: &mut Collector) {
    feed(collector, Record::BenchBegin { name: "a/b" }).expect("a record");
    let samples = Record::Samples { name: "a/b", runs: Values::Plain(&[22, 3, 24, 1]) };
    assert_eq!(feed(collector, samples), Ok(Event::Part));
    let counters = Record::Counters { name: "a/b", values: Values::Plain(&[31, 969]) };
    assert_eq!(feed(collector, counters), Ok(Event::Part));
}

#[test]
fn a_result_is_put_together() {
    let mut collector = Collector::default();
    parts(&mut collector);
    let Ok(Event::Bench(result)) = feed(&mut collector, end(4, &[22, 22, 22, 22, 24, 24, 24]))
    else {
        panic!("no result")
    };
    assert_eq!(result.samples, [22, 22, 22, 24]);
    assert_eq!(result.per_op(result.summary.min), 11.0);
    assert_eq!(result.named_counters().next(), Some(("ipi_sent", 31)));
}

#[test]
fn what_was_lost_or_differs_is_an_error() {
    let mut collector = Collector::default();
    parts(&mut collector);
    let lost = RecordError::Lost { bench: "a/b".into(), taken: 5, received: 4 };
    assert_eq!(feed(&mut collector, end(5, &[22, 22, 22, 22, 24, 24, 24])), Err(lost));
    parts(&mut collector);
    let differs = RecordError::Summary("a/b".into());
    assert_eq!(feed(&mut collector, end(4, &[21, 22, 22, 22, 24, 24, 24])), Err(differs));
    // The next benchmark starts afresh.
    parts(&mut collector);
    assert!(feed(&mut collector, end(4, &[22, 22, 22, 22, 24, 24, 24])).is_ok());
}

#[test]
fn another_version_is_refused() {
    let begin = Record::RunBegin {
        version: VERSION + 1,
        kernel: "",
        mode: "",
        apic: "",
        cpus: 1,
        cpus_expected: 1,
        seed: 0,
        quick: false,
        tick_hz: 0,
        clock_within: 0,
        clock_apart: 0,
        clock_cpu: 0,
        cpu_model: "",
        variants: "",
    };
    assert_eq!(feed(&mut Collector::default(), begin), Err(RecordError::Version(VERSION + 1)));
}

#[test]
fn stress_counts_come_through() {
    let record = Record::StressEnd {
        name: "kernel/storm",
        seed: 3,
        ok: true,
        trace: 7,
        counts: Named::Plain(&[("messages", 4_000_000)]),
        message: "each once",
    };
    let Ok(Event::Stress(result)) = feed(&mut Collector::default(), record) else {
        panic!("no result")
    };
    assert_eq!(result.counts, [("messages".to_owned(), 4_000_000)]);
}

#[test]
fn what_was_played_is_kept_by_name() {
    let counts = Named::Plain(&[("came", 3)]);
    let record = Record::PlayedGroup { name: "web", group: "store", counts };
    let named = |text: &str| text.to_owned();
    assert_eq!(
        feed(&mut Collector::default(), record),
        Ok(Event::PlayedGroup {
            name: named("web"),
            group: named("store"),
            counts: vec![(named("came"), 3)],
        })
    );
    let record = Record::Played { name: "web", cpus: 4, ok: false, counts, message: "why" };
    let Ok(Event::Played { cpus, ok, counts, message, .. }) =
        feed(&mut Collector::default(), record)
    else {
        panic!("no play")
    };
    assert_eq!((cpus, ok, counts, &*message), (4, false, vec![(named("came"), 3)], "why"));
}

#[test]
fn a_frame_holds_a_record_or_a_log_line() {
    assert_eq!(record_bytes("record [2, 1, 120]"), Some(vec![2, 1, 120]));
    assert_eq!(record_bytes("record [2]"), Some(vec![2]));
    assert_eq!(record_bytes("recording started"), None);
    assert_eq!(record_bytes("record [1, 999]"), None);
}

#[test]
fn garbage_is_an_error_not_a_panic() {
    assert_eq!(Collector::default().feed(&[]), Err(RecordError::Wire(wire::Error::Short)));
    assert_eq!(Collector::default().feed(&[99]), Err(RecordError::Wire(wire::Error::Tag(99))));
}
