//! What the runner makes of kernels of a few instructions on a real QEMU. Without QEMU they
//! pass unseen, and say so.

mod support;

use std::{path::Path, process::Command, thread};

use runner::{Event, Outcome, Report, Request, explain};
use support::{Bench, explained, run};

/// Sends 'h', 'i' and a new line to COM1.
const SAY_HI: &[u8] = &[
    0x66, 0xba, 0xf8, 0x03, // mov dx, 0x3f8
    0xb0, b'h', 0xee, 0xb0, b'i', 0xee, 0xb0, b'\n', 0xee, // mov al, ..; out dx, al
];
/// Ends with the value in `al` to port 0xf4.
const fn verdict(value: u8) -> [u8; 4] {
    [0xb0, value, 0xe6, 0xf4]
}
const SPIN: &[u8] = &[0xeb, 0xfe];
const HALT: &[u8] = &[0xfa, 0xf4, 0xeb, 0xfd];
/// lidt [zero]; int3
const TRIPLE_FAULT: &[u8] = &[0x31, 0xc0, 0x50, 0x50, 0x0f, 0x01, 0x1c, 0x24, 0xcc];
/// Bit 0 to port 0x505.
const PVPANIC: &[u8] = &[0x66, 0xba, 0x05, 0x05, 0xb0, 0x01, 0xee];

/// Every QEMU that is to be tested: that of `PATH`, and those that `DAMSELFLY_QEMUS` names.
fn each_qemu(mut test: impl FnMut(&Bench, &Path)) {
    let more = std::env::var("DAMSELFLY_QEMUS").unwrap_or_default();
    let all =
        std::iter::once("qemu-system-x86_64").chain(more.split(':').filter(|q| !q.is_empty()));
    for qemu in all {
        if Command::new(qemu).arg("--version").output().is_err() {
            eprintln!("no {qemu}: not tested");
            continue;
        }
        test(&Bench::new(), Path::new(qemu));
    }
}

/// Of a kernel that comes to its end, however busy the host is.
fn boot(bench: &Bench, qemu: &Path, code: &[&[u8]]) -> (Report, String) {
    let mut request = bench.request(&bench.kernel(&code.concat()), qemu);
    request.limits.boot = request.limits.cap;
    request.limits.quiet = request.limits.cap;
    run_and_explain(&request)
}

fn run_and_explain(request: &Request) -> (Report, String) {
    let report = run(request);
    let text = explained(&report, request);
    (report, text)
}

#[test]
fn verdicts() {
    each_qemu(|bench, qemu| {
        for (value, want) in
            [(0x10, Outcome::Success), (0x11, Outcome::TestFailed), (0x12, Outcome::Panic)]
        {
            let (report, text) = boot(bench, qemu, &[SAY_HI, &verdict(value), SPIN]);
            assert_eq!(report.outcome, want, "{text}");
            assert_eq!(report.text, ["hi"]);
        }
    });
}

#[test]
fn triple_fault() {
    each_qemu(|bench, qemu| {
        let (report, text) = boot(bench, qemu, &[SAY_HI, TRIPLE_FAULT, SPIN]);
        assert_eq!(report.outcome, Outcome::TripleFault, "{text}");
        assert_eq!(report.stacks.len(), 1, "{text}");
        assert!(text.contains("\n  CPU 0, running, interrupts off:\n"), "{text}");
    });
}

#[test]
fn hang_and_silence() {
    each_qemu(|bench, qemu| {
        let mut request = bench.request(&bench.kernel(&[SAY_HI, SPIN].concat()), qemu);
        request.limits.boot = request.limits.cap;
        let (report, text) = run_and_explain(&request);
        assert!(matches!(report.outcome, Outcome::Hang { .. }), "{text}");
        assert!(text.contains("\n  CPU 0, running, interrupts off:\n"), "{text}");
        let (report, text) = run_and_explain(&bench.request(&bench.kernel(SPIN), qemu));
        assert!(matches!(report.outcome, Outcome::Silent { .. }), "{text}");
        assert_eq!(report.stacks.len(), 1, "{text}");
    });
}

#[test]
fn all_asleep_is_a_deadlock() {
    each_qemu(|bench, qemu| {
        let mut request = bench.request(&bench.kernel(&[SAY_HI, HALT].concat()), qemu);
        request.limits.boot = request.limits.cap;
        request.limits.quiet = request.limits.cap;
        let (report, text) = run_and_explain(&request);
        assert_eq!(report.outcome, Outcome::Deadlock, "{text}");
        assert!(text.contains("\n  CPU 0, halted, interrupts off:\n"), "{text}");
    });
}

#[test]
fn stacks_at_a_panic() {
    each_qemu(|bench, qemu| {
        let (report, text) = boot(bench, qemu, &[SAY_HI, PVPANIC, &verdict(0x12), SPIN]);
        assert_eq!(report.outcome, Outcome::Panic, "{text}");
        assert_eq!(report.stacks.len(), 1, "{text}");
        // A kernel that does not go on to its verdict after the pause still panicked.
        let (report, text) = boot(bench, qemu, &[SAY_HI, PVPANIC, SPIN]);
        assert_eq!(report.outcome, Outcome::Panic, "{text}");
    });
}

#[test]
fn an_option_that_qemu_does_not_know() {
    each_qemu(|bench, qemu| {
        let mut request = bench.request(&bench.kernel(SPIN), qemu);
        request.extra = vec!["-frobnicate".into()];
        let report = run(&request);
        assert_eq!(report.outcome, Outcome::NotStarted { status: Some(1) });
        assert!(report.stderr.iter().any(|line| line.contains("-frobnicate: invalid option")));
    });
}

#[test]
fn many_at_once() {
    each_qemu(|_, qemu| {
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let (report, text) = boot(&Bench::new(), qemu, &[SAY_HI, &verdict(0x10), SPIN]);
                    assert_eq!(report.outcome, Outcome::Success, "{text}");
                });
            }
        });
    });
}

#[test]
fn the_printed_command_works_when_pasted() {
    each_qemu(|bench, qemu| {
        let code = [SAY_HI, &verdict(0x10), SPIN].concat();
        let request = bench.request(&bench.kernel(&code), qemu);
        let mut command = String::new();
        runner::run(&request, &mut |event: Event<'_>| {
            if let Event::Command(line) = event {
                command = line.to_owned();
            }
        })
        .expect("the run is tried");
        let pasted = Command::new("sh").args(["-c", &command]).output().expect("sh runs");
        assert_eq!(pasted.status.code(), Some(runner::code::SUCCESS));
        assert_eq!(String::from_utf8_lossy(&pasted.stdout).trim(), "hi");
    });
}

#[test]
fn explained_without_a_line_that_is_too_long() {
    each_qemu(|bench, qemu| {
        let mut request = bench.request(&bench.kernel(&[SAY_HI, SPIN].concat()), qemu);
        request.limits.boot = request.limits.cap;
        let report = run(&request);
        let lines = explain::lines(&report, &request, Some("bench kernel/switch"));
        assert!(lines[0].starts_with("HANG in bench kernel/switch: nothing heard for "));
    });
}
