//! What the runner makes of a QEMU that misbehaves: shell scripts play it.

mod support;

use std::{
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use runner::{Apic, Event, Limit, Mode, Outcome, Refusal};
use support::{Bench, explained, run};

fn outcome_of(script: &str) -> Outcome {
    let bench = Bench::new();
    run(&bench.request(&bench.kernel(&[]), &bench.fake(script))).outcome
}

#[test]
fn only_33_is_success() {
    assert_eq!(outcome_of("exit 33"), Outcome::Success);
    assert_eq!(outcome_of("exit 35"), Outcome::TestFailed);
    assert_eq!(outcome_of("exit 37"), Outcome::Panic);
    assert_eq!(outcome_of("exit 39"), Outcome::Refused);
    assert_eq!(outcome_of("exit 0"), Outcome::TripleFault);
    assert_eq!(outcome_of("echo booting; exit 7"), Outcome::Died { status: 7 });
    assert_eq!(outcome_of("echo booting; kill -SEGV $$"), Outcome::Died { status: -11 });
}

#[test]
fn a_panic_about_a_deadlock_is_a_deadlock() {
    assert_eq!(outcome_of("echo 'panic: deadlock: 2 threads'; exit 37"), Outcome::Deadlock);
}

#[test]
fn a_panic_is_told_to_the_end_of_its_message() {
    let bench = Bench::new();
    let script = "echo hello; echo 'panic: cpu 1: left is not right'; echo '  left: 1'; echo ' right: 2 (a.rs:7)'
        echo 'cpu 1: rip 0'; echo 'a word'; exit 37";
    let report = run(&bench.request(&bench.kernel(&[]), &bench.fake(script)));
    let panic = "cpu 1: left is not right, left: 1, right: 2 (a.rs:7)";
    assert_eq!((report.outcome, report.panic.as_deref()), (Outcome::Panic, Some(panic)));
}

#[test]
fn bad_option_shows_what_qemu_says() {
    let bench = Bench::new();
    let qemu = bench.fake("echo \"qemu: -frobnicate: invalid option\" >&2; exit 1");
    let mut request = bench.request(&bench.kernel(&[]), &qemu);
    request.extra = vec!["-frobnicate".into()];
    let report = run(&request);
    assert_eq!(report.outcome, Outcome::NotStarted { status: Some(1) });
    assert_eq!(report.outcome.status(), 3);
    let text = explained(&report, &request);
    assert_eq!(
        text,
        format!(
            "QEMU DID NOT START: it ended with status 1\n  QEMU said:\n    qemu: -frobnicate: invalid option\n\
             next: without the arguments after --: -frobnicate\nnext: the same by hand: {}\n\
             next: ./x doctor    says whether this QEMU is old enough to be the reason",
            report.command
        )
    );
    assert!(report.command.ends_with(" -frobnicate"), "{}", report.command);
}

#[test]
fn a_qemu_that_is_none() {
    let bench = Bench::new();
    let qemu = bench.script("#!/bin/sh\necho 'not the program you want' >&2\nexit 4\n");
    let request = bench.request(&bench.kernel(&[]), &qemu);
    let report = run(&request);
    assert_eq!(report.outcome, Outcome::NotStarted { status: Some(4) });
    assert_eq!(report.outcome.status(), 3);
    let text = explained(&report, &request);
    assert_eq!(
        text,
        format!(
            "QEMU DID NOT START: it ended with status 4\n  QEMU said:\n    not the program you want\n\
             next: the same by hand: {}\n\
             next: ./x doctor    says whether this QEMU is old enough to be the reason",
            report.command
        )
    );
}

#[test]
fn words_without_end_are_no_answer() {
    for (script, pipe) in [("yes hello", "stdout"), ("yes hello >&2", "stderr")] {
        let bench = Bench::new();
        let request = bench
            .request(&bench.kernel(&[]), &bench.script(&format!("#!/bin/sh\nexec {script}\n")));
        let start = Instant::now();
        let report = run(&request);
        assert!(start.elapsed() < Duration::from_secs(10), "{pipe}: {:?}", start.elapsed());
        assert_eq!(report.outcome, Outcome::NotStarted { status: None }, "{pipe}");
        let text = explained(&report, &request);
        assert!(text.contains("[1 MiB of output and no answer in it: this is not QEMU]"), "{text}");
        assert!(text.len() < 2000, "{pipe}: {} bytes", text.len());
    }
}

#[test]
fn no_qemu() {
    let bench = Bench::new();
    let request = bench.request(&bench.kernel(&[]), Path::new("/nowhere/qemu"));
    let refusal = runner::run(&request, &mut |_: Event<'_>| {}).expect_err("there is none");
    assert_eq!(refusal, Refusal::NoQemu("/nowhere/qemu".into()));
    assert_eq!(refusal.status(), 3);
    assert_eq!(refusal.to_string(), "no QEMU: '/nowhere/qemu' is not there. Next: ./x doctor");
}

/// What is told of a KVM with which the QEMU that `script` plays boots.
fn kvm(bench: &Bench, script: &str, device: &Path) -> String {
    let mut request = bench.request(&bench.kernel(&[]), &bench.fake(script));
    request.mode = Mode::Kvm;
    request.kvm = device.to_owned();
    let report = run(&request);
    assert_eq!((report.outcome.name(), report.outcome.status()), ("kvm-broken", 3));
    explained(&report, &request)
}

#[test]
fn broken_kvm() {
    let bench = Bench::new();
    let device = bench.folder.path().join("kvm");
    let told = |why: &str| {
        format!(
            "KVM DOES NOT WORK HERE: {why}\nnext: --mode insns (exact) or --mode tcg work without KVM"
        )
    };
    let missing = format!("{}: No such file or directory (os error 2)", device.display());
    assert_eq!(kvm(&bench, "exit 33", &device), told(&missing));
    std::fs::write(&device, "").expect("written");
    assert_eq!(
        kvm(&bench, "echo 'error: failed to set MSR 0x10a to 0x0' >&2; kill -ABRT $$", &device),
        told("QEMU gave up on a trial boot: error: failed to set MSR 0x10a to 0x0")
    );
    assert_eq!(kvm(&bench, "exec sleep 100", &device), told("a trial boot did not end within 2 s"));
    assert_eq!(kvm(&bench, "exit 0", &device), told("a trial boot ended in triple-fault"));
}

#[test]
fn silence_is_not_a_hang() {
    let Outcome::Silent { after } = outcome_of("exec sleep 100") else { panic!("not silent") };
    assert!(after >= Duration::from_secs(2));
}

#[test]
fn a_word_and_then_nothing_is_a_hang() {
    let bench = Bench::new();
    let qemu = bench.fake("echo hello; exec sleep 100");
    let request = bench.request(&bench.kernel(&[]), &qemu);
    let report = run(&request);
    assert!(matches!(report.outcome, Outcome::Hang { limit: Limit::Quiet, .. }));
    let text = explained(&report, &request);
    assert!(text.starts_with("HANG: nothing heard for "), "{text}");
    assert!(text.contains("\n  last on the serial port:\n    hello\nnext: "), "{text}");
}

#[test]
fn words_without_end_are_a_time_out() {
    let bench = Bench::new();
    let qemu = bench.fake("while :; do echo again; sleep 0.2; done");
    let mut request = bench.request(&bench.kernel(&[]), &qemu);
    request.limits.cap = Duration::from_secs(3);
    let report = run(&request);
    assert!(matches!(report.outcome, Outcome::Hang { limit: Limit::Total, .. }));
    assert!(report.text.iter().all(|line| line == "again"));
    assert!(report.text.len() <= 60);
}

#[test]
fn nothing_outlives_the_run() {
    let bench = Bench::new();
    let mark = bench.folder.path().join("alive");
    let script = format!("(while :; do touch {}; sleep 0.1; done) & sleep 100", mark.display());
    run(&bench.request(&bench.kernel(&[]), &bench.fake(&script)));
    assert!(mark.exists(), "the grandchild never ran");
    std::fs::remove_file(&mark).expect("the mark goes");
    thread::sleep(Duration::from_millis(500));
    assert!(!mark.exists(), "a grandchild of the runner lives on");
}

#[test]
fn foreign_and_missing_kernels_are_refused() {
    let bench = Bench::new();
    let qemu = bench.fake("exit 33");
    let refused = |path: &Path| {
        runner::run(&bench.request(path, &qemu), &mut |_: Event<'_>| {})
            .expect_err("refused")
            .to_string()
    };
    assert_eq!(
        refused(Path::new("/nowhere/kernel")),
        "/nowhere/kernel: No such file or directory (os error 2)"
    );
    let text = bench.folder.path().join("text");
    std::fs::write(&text, "no kernel").expect("written");
    assert_eq!(refused(&text), format!("{}: not an ELF file", text.display()));
    let own = std::env::current_exe().expect("this test");
    assert_eq!(
        refused(&own),
        format!(
            "{}: not a damselfly kernel: it has no format strings (section .defmt)",
            own.display()
        )
    );
}

#[test]
fn numbers_of_cpus_that_make_no_sense() {
    let bench = Bench::new();
    for (cpus, want) in [
        (0, "--smp 0: machine q35 takes 1 to 1024 CPUs"),
        (100_000, "--smp 100000: machine q35 takes 1 to 1024 CPUs"),
    ] {
        let mut request = bench.request(&bench.kernel(&[]), Path::new("qemu"));
        request.cpus = cpus;
        let refusal = runner::run(&request, &mut |_: Event<'_>| {}).expect_err("refused");
        assert_eq!((refusal.to_string().as_str(), refusal.status()), (want, 2));
    }
}

#[test]
fn without_x2apic_there_are_255_cpus() {
    let bench = Bench::new();
    let mut request = bench.request(&bench.kernel(&[]), &bench.fake("exit 33"));
    request.cpus = 255;
    assert_eq!(run(&request).outcome, Outcome::Success);
    request.cpus = 256;
    for (apic, why) in
        [(Apic::Best, "QEMU 7.2.22 emulates no x2APIC"), (Apic::Xapic, "--xapic leaves no x2APIC")]
    {
        request.apic = apic;
        let refusal = runner::run(&request, &mut |_: Event<'_>| {}).expect_err("refused");
        assert_eq!(refusal.status(), 2);
        let line = refusal.to_string();
        assert!(line.starts_with(&format!("--smp 256: {why}, so 255 CPUs at most; ")), "{line}");
    }
}

#[test]
fn the_command_is_told_before_it_runs() {
    let bench = Bench::new();
    let qemu = bench.fake("exit 33");
    let request = bench.request(&bench.kernel(&[]), &qemu);
    let mut told = Vec::new();
    runner::run(&request, &mut |event: Event<'_>| match event {
        Event::Probed(probe) => told.push(format!("QEMU {}", probe.version)),
        Event::Command(line) => told.push(line.to_owned()),
        _ => {}
    })
    .expect("the run is tried");
    assert_eq!(told[0], "QEMU 7.2.22");
    assert_eq!(
        told[1],
        format!(
            "{} -accel tcg,thread=single -icount shift=0,sleep=off -cpu max,-erms -smp 1 -m 128M \
             -machine q35 -seed 1 -rtc base=2026-01-01,clock=vm -nodefaults -no-reboot -display none \
             -serial stdio -device isa-debug-exit,iobase=0xf4,iosize=4 -kernel {} \
             -append 'mode=insns seed=1'",
            qemu.display(),
            request.kernel.display()
        )
    );
}

/// The loop of a QEMU that lives on and shows it.
fn alive(bench: &Bench) -> String {
    let mark = bench.folder.path().join("alive");
    format!("while :; do touch {}; sleep 0.1; done", mark.display())
}

#[test]
fn interrupted_runs_leave_nothing() {
    let bench = Bench::new();
    bench.fake(&alive(&bench));
    interrupted(&bench);
}

#[test]
fn interrupted_questions_leave_nothing() {
    let bench = Bench::new();
    bench.script(&format!("#!/bin/sh\n{}\n", alive(&bench)));
    interrupted(&bench);
}

/// Runs this program as a child with the QEMU of `bench`, and interrupts it.
fn interrupted(bench: &Bench) {
    if std::env::var_os("RUNNER_TEST_CHILD").is_some() {
        return;
    }
    let mark = bench.folder.path().join("alive");
    bench.kernel(&[]);
    for signal in ["INT", "TERM", "KILL"] {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "child_of_the_interrupted", "--ignored", "--nocapture"])
            .env("RUNNER_TEST_CHILD", bench.folder.path())
            .spawn()
            .expect("the child starts");
        let start = Instant::now();
        while !mark.exists() {
            assert!(start.elapsed() < Duration::from_secs(60), "the fake never ran");
            thread::sleep(Duration::from_millis(20));
        }
        // The shell's own: a small system has no program of that name.
        let kill = format!("kill -{signal} {}", child.id());
        let kill = Command::new("sh").args(["-c", &kill]).status();
        assert!(kill.expect("kill runs").success());
        let start = Instant::now();
        let status = child.wait().expect("the child ends");
        assert!(start.elapsed() < Duration::from_secs(5), "SIG{signal} was not heeded");
        if signal != "KILL" {
            let want = if signal == "INT" { 130 } else { 143 };
            assert_eq!(status.code(), Some(want), "after SIG{signal}");
        } else if !cfg!(target_os = "linux") {
            return;
        }
        thread::sleep(Duration::from_millis(100));
        std::fs::remove_file(&mark).expect("the mark goes");
        thread::sleep(Duration::from_millis(500));
        assert!(!mark.exists(), "QEMU lives on after SIG{signal}");
    }
}

#[test]
#[ignore = "only as the child of interrupted_..._leave_nothing"]
fn child_of_the_interrupted() {
    let Some(folder) = std::env::var_os("RUNNER_TEST_CHILD") else { return };
    let folder = Path::new(&folder);
    let bench = Bench::new();
    let mut request = bench.request(&folder.join("kernel"), &folder.join("qemu"));
    request.limits.boot = Duration::from_secs(100);
    request.limits.cap = Duration::from_secs(100);
    std::process::exit(run(&request).outcome.status());
}
