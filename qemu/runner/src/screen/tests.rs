use std::time::Duration;

use bench_api::wire::{Record, Values};

use super::*;
use crate::{Event, Mode, Outcome, Probe, Report, Request, Sink};

/// What `draw` writes on a screen of that look.
fn drawn(look: Look, draw: impl FnOnce(&mut Screen<'_>)) -> String {
    let mut out = Vec::new();
    draw(&mut Screen::new(&mut out, look));
    String::from_utf8(out).expect("text")
}

const STEPS: fn(&mut Screen<'_>) = |screen| {
    screen.step("boot", "4 of 4 CPUs", Verdict::Ok, Some(Duration::from_millis(410)));
    screen.step("bench", "28 of 28", Verdict::None, Some(Duration::from_secs(44)));
    screen.part(
        "kernel/storm",
        "4,000,000 messages, each once, in order",
        Verdict::Ok,
        Some(Duration::from_secs(12)),
    );
    screen.part("user/alive", "a stack changed", Verdict::Fail, None);
};

#[test]
fn steps_are_lined_up() {
    assert_eq!(
        drawn(Look::PLAIN, STEPS),
        "\
boot    4 of 4 CPUs                                                ok   0.4 s
bench   28 of 28                                                         44 s
     kernel/storm          4,000,000 messages, each once, in       ok    12 s
                           order
     user/alive            a stack changed                       FAIL
"
    );
}

#[test]
fn a_narrow_screen_lines_up_nothing() {
    assert_eq!(
        drawn(Look { width: 40, ..Look::PLAIN }, STEPS),
        "\
boot    4 of 4 CPUs  ok  0.4 s
bench   28 of 28  44 s
     kernel/storm 4,000,000 messages,
       each once, in order  ok  12 s
     user/alive a stack changed  FAIL
"
    );
}

#[test]
fn colours_only_where_wanted() {
    let look = Look { colour: true, ..Look::PLAIN };
    let text = drawn(look, |screen| screen.step("boot", "x", Verdict::Fail, None));
    assert!(text.ends_with("\x1b[31mFAIL\x1b[0m\n"), "{text:?}");
}

#[test]
fn what_moves_is_wiped_before_a_line() {
    let draw: fn(&mut Screen<'_>) = |screen| {
        screen.moving("bench 3: ipi/one_way");
        screen.line("done");
    };
    assert_eq!(drawn(Look::PLAIN, draw), "done\n");
    let look = Look { moves: true, width: 10, ..Look::PLAIN };
    assert_eq!(drawn(look, draw), "\rbench 3: \x1b[K\r\x1b[Kdone\n");
}

#[test]
fn lengths_of_time() {
    for (millis, want) in [
        (0, "0.0 s"),
        (410, "0.4 s"),
        (9_949, "9.9 s"),
        (9_960, "10 s"),
        (44_000, "44 s"),
        (108_000, "1 min 48 s"),
        (120_000, "2 min"),
        (4_000_000, "1 h 6 min"),
    ] {
        assert_eq!(duration(Duration::from_millis(millis)), want);
    }
}

#[test]
fn big_numbers() {
    assert_eq!(thousands(0), "0");
    assert_eq!(thousands(999), "999");
    assert_eq!(thousands(4_000_000), "4,000,000");
}

#[test]
fn wrapping() {
    assert_eq!(wrap("one two three", 7, 2), "one two\n  three");
    assert_eq!(wrap("incomprehensible", 7, 2), "incomprehensible");
}

fn record(bytes: &[u8]) -> Frame {
    Frame {
        cpu: 0,
        tsc: 0,
        level: None,
        message: format!("record {bytes:?}"),
        fields: Vec::new(),
        location: None,
    }
}

/// The whole of a run, from the records that a kernel sends.
fn whole_run(look: Look, end: Outcome) -> String {
    let mut out = Vec::new();
    let facts = Facts {
        version: "0.1.0".into(),
        revision: "3f2c9e1".into(),
        rustc: "1.96.0".into(),
        verbose: false,
    };
    let request = Request { mode: Mode::Insns, ..Request::new("k") };
    let mut live =
        Live::new(Screen::new(&mut out, look), facts, &request, || "goal table\n".into());
    let probe = Probe {
        version: "10.0.2".into(),
        x2apic: true,
        erms: true,
        fsrm: true,
        took: Duration::ZERO,
    };
    live.event(Event::Probed(&probe));
    live.event(Event::Command("qemu-system-x86_64 -accel tcg,thread=single"));
    let mut buffer = [0; bench_api::wire::MAX_BYTES];
    let summary = Values::Plain(&[]);
    let records = [
        Record::RunBegin {
            version: bench_api::wire::VERSION,
            kernel: "0.1.0",
            mode: "insns",
            apic: "x2APIC",
            cpus: 4,
            cpus_expected: 4,
            seed: 1,
            quick: false,
            tick_hz: 1_000_000_000,
            clock_within: 29,
            clock_apart: 0,
            clock_cpu: 3,
            cpu_model: "max",
            variants: "",
        },
        Record::BenchBegin { name: "kernel/switch" },
        Record::BenchEnd {
            name: "kernel/switch",
            goal: "G3",
            ok: true,
            unit: "insns",
            n: 1,
            warmup: 0,
            batch: 1,
            ops: 1,
            overhead: 0,
            overhead_max: 0,
            summary,
            message: "",
        },
        Record::StressBegin { name: "kernel/storm", seed: 1 },
    ];
    for record_ in records {
        live.event(Event::Frame(&record(record_.encode(&mut buffer).expect("it fits"))));
    }
    let (mut screen, tally) = live.finish(&Report::empty(end));
    screen.line(&format!("RESULT  {} of {}", tally.benches.1, tally.benches.0));
    drop(screen);
    String::from_utf8(out).expect("text")
}

#[test]
fn a_run_as_it_looks() {
    assert_eq!(
        whole_run(Look::PLAIN, Outcome::Success),
        "\
damselfly 0.1.0 (3f2c9e1)  rustc 1.96.0  QEMU 10.0.2  x2APIC  4 CPUs  seed 1
mode insns: exact instructions, summed over all CPUs. Not cycles, not latency.
+ qemu-system-x86_64 -accel tcg,thread=single
boot    4 of 4 CPUs (clocks within 29 ticks)                       ok   0.0 s
bench   1 of 1                                                          0.0 s
goal table
RESULT  1 of 1
"
    );
}

#[test]
fn a_failure_says_what_was_going_on() {
    let text = whole_run(Look::PLAIN, Outcome::TripleFault);
    assert!(text.contains("\nTRIPLE FAULT in stress kernel/storm: "), "{text}");
}

#[test]
fn a_narrow_head() {
    let text = whole_run(Look { width: 40, ..Look::PLAIN }, Outcome::Success);
    assert!(
        text.starts_with(
            "\
damselfly 0.1.0 (3f2c9e1)  rustc 1.96.0
QEMU 10.0.2  x2APIC  4 CPUs  seed 1
mode insns: exact instructions, summed
  over all CPUs. Not cycles, not
  latency.
"
        ),
        "{text}"
    );
}
