use std::{sync::Arc, time::Duration};

use super::*;
use crate::{Level, Location, registers::Registers, symbols::Place};

fn place(function: &str, line: u32, inlined: bool) -> Place {
    Place {
        function: function.into(),
        file: Some("lwkt/sched/src/queue.rs".into()),
        line: Some(line),
        inlined,
    }
}

fn stack(cpu: u32) -> CpuStack {
    let frame = |address, trust, ring3, places| StackFrame { address, trust, ring3, places };
    CpuStack {
        cpu,
        registers: Registers { interrupts: true, ..Registers::default() },
        frames: vec![
            frame(
                0xffff_ffff_8000_1000,
                Trust::Certain,
                false,
                vec![
                    place("core::hint::spin_loop", 12, true),
                    place("lwkt_sched::wait", 40, false),
                ],
            ),
            frame(0xffff_ffff_8000_2000, Trust::Guessed, false, vec![place("entry", 9, false)]),
            frame(0xffff_ffff_8000_3000, Trust::Guessed, false, vec![]),
            frame(0x40_1000, Trust::Guessed, true, vec![]),
        ],
    }
}

#[test]
fn a_hang_in_full() {
    let after = Duration::from_secs(61);
    let report = Report {
        scale: 2.0,
        text: vec!["damselfly 0.1.0".into()],
        frames: vec![Frame {
            cpu: 2,
            tsc: 5,
            level: Some(Level::Warn),
            message: "timer late".into(),
            fields: Vec::new(),
            location: Some(Arc::new(Location { file: "kernel/core/src/timer.rs".into(), line: 7 })),
        }],
        stacks: vec![stack(0), stack(1)],
        ..Report::empty(Outcome::Hang { after, limit: Limit::Quiet })
    };
    let text = lines(&report, &Request::new("k"), Some("stress kernel/storm")).join("\n");
    assert_eq!(
        text,
        "\
HANG in stress kernel/storm: nothing heard for 61 s, 2.0 times as long as usual: this host is slow or busy
  last on the serial port:
    damselfly 0.1.0
  last log lines:
    [2] warn timer late (kernel/core/src/timer.rs:7)
  CPUs 0-1, running, interrupts on:
    core::hint::spin_loop (lwkt/sched/src/queue.rs:12) inlined
    lwkt_sched::wait (lwkt/sched/src/queue.rs:40)
    ? entry (lwkt/sched/src/queue.rs:9)
    ? 0xffffffff80003000
    ? ring 3 at 0x401000
next: look at the CPUs that run: interrupts off? waiting for one that was not told, or run again on a quieter host: limits follow its speed at the start
next: ./x boot --gdb    stops before the first instruction and waits for gdb"
    );
}

#[test]
fn each_outcome_has_a_headline_of_its_own_and_a_next_step() {
    let after = Duration::from_secs(1);
    let outcomes = [
        Outcome::TestFailed,
        Outcome::Panic,
        Outcome::Deadlock,
        Outcome::Refused,
        Outcome::TripleFault,
        Outcome::Hang { after, limit: Limit::Quiet },
        Outcome::Hang { after, limit: Limit::Total },
        Outcome::Silent { after },
        Outcome::PoweredOff,
        Outcome::NotStarted { status: Some(1) },
        Outcome::NotStarted { status: None },
        Outcome::KvmBroken { why: "/dev/kvm: denied".into() },
        Outcome::Died { status: -11 },
        Outcome::Died { status: 7 },
    ];
    let mut headlines = Vec::new();
    for outcome in outcomes {
        let lines = lines(&Report::empty(outcome), &Request::new("k"), None);
        assert!(lines.last().is_some_and(|line| line.starts_with("next: ")), "{lines:?}");
        assert!(!headlines.contains(&lines[0]), "{}", lines[0]);
        headlines.push(lines[0].clone());
    }
}

#[test]
fn a_panic_is_told_once() {
    let report = Report {
        text: ["before", "", "panic: cpu 2: no way", "cpu 2: rip 0"].map(str::to_owned).into(),
        panic: Some("cpu 2: no way".into()),
        ..Report::empty(Outcome::Panic)
    };
    let text = |report: &Report| lines(report, &Request::new("k"), None).join("\n");
    assert!(text(&report).starts_with(
        "PANIC: cpu 2: no way\n  last on the serial port:\n    before\n    \n    panic: cpu 2: no way\n    cpu 2: rip 0\nnext: "
    ));
    let with_stacks = Report { stacks: vec![stack(2)], ..report.clone() };
    assert!(text(&with_stacks).starts_with(
        "PANIC: cpu 2: no way\n  last on the serial port:\n    before\n  CPU 2, running"
    ));
    let long_after = Report { text: vec!["cpu 60: rip 0".into()], ..with_stacks };
    assert!(text(&long_after).starts_with("PANIC: cpu 2: no way\n  CPU 2, running"));
}

#[test]
fn a_bug_of_qemus_is_named() {
    let report = Report {
        stderr: vec!["qemu-system-x86_64: Bad icount read".into()],
        ..Report::empty(Outcome::Died { status: 1 })
    };
    let lines = lines(&report, &Request::new("k"), None);
    assert!(lines.last().is_some_and(|line| line.starts_with("next: --xapic: ")), "{lines:?}");
}

#[test]
fn numbers_in_ranges() {
    assert_eq!(ranges(&[0, 2, 3, 4, 9]), "0 2-4 9");
}
