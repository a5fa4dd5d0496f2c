use std::{ffi::OsStr, path::PathBuf, time::Duration};

use super::*;

fn probe(version: &str, x2apic: bool, fsrm: bool) -> Probe {
    Probe { version: version.into(), x2apic, erms: true, fsrm, took: Duration::ZERO }
}

fn old() -> Probe {
    probe("7.2.22", false, false)
}

fn new() -> Probe {
    probe("10.0.2", true, true)
}

fn text(request: &Request, probe: &Probe) -> String {
    line(&request.qemu, &arguments(request, probe, For::Person))
}

#[test]
fn insns_counts_exactly() {
    let request = Request::new("/tmp/k");
    assert_eq!(
        text(&request, &new()),
        "qemu-system-x86_64 -accel tcg,thread=single -icount shift=0,sleep=off -cpu max,-erms,-fsrm \
         -smp 4 -m 1024M -machine q35 -seed 1 -rtc base=2026-01-01,clock=vm -nodefaults -no-reboot \
         -display none -serial stdio -device isa-debug-exit,iobase=0xf4,iosize=4 -kernel /tmp/k \
         -append 'mode=insns seed=1'"
    );
    assert!(text(&request, &old()).contains(" -cpu max,-erms -smp"));
}

#[test]
fn xapic_is_forced_only_where_there_is_a_choice() {
    let request = Request { apic: Apic::Xapic, mode: Mode::Tcg, ..Request::new("k") };
    assert!(text(&request, &new()).contains(" -accel tcg,thread=multi -cpu max,-x2apic "));
    assert!(text(&request, &old()).contains(" -cpu max -smp"));
}

#[test]
fn the_runner_adds_its_wiring_and_nothing_else() {
    let request = Request {
        words: vec!["run=bench".into()],
        extra: vec!["-d".into(), "int".into()],
        ..Request::new("k")
    };
    let wiring =
        Wiring { frames: PathBuf::from("/p/frames"), monitor: PathBuf::from("/p/monitor") };
    let person = arguments(&request, &new(), For::Person);
    let runner = arguments(&request, &new(), For::Runner(&wiring));
    let added: Vec<&OsString> = runner.iter().filter(|word| !person.contains(word)).collect();
    assert_eq!(
        added,
        [
            "-chardev",
            "socket,id=frames,path=/p/frames",
            "isa-debugcon,iobase=0xe9,chardev=frames",
            "-chardev",
            "socket,id=monitor,path=/p/monitor",
            "-mon",
            "chardev=monitor,mode=control",
            "pvpanic",
            "-action",
            "panic=pause,shutdown=pause",
            "-S",
            "frames mode=insns seed=1 run=bench",
        ]
    );
    assert!(runner.ends_with(&["-d".into(), "int".into()]));
}

#[test]
fn a_debugger_gets_a_stopped_machine() {
    let request = Request { gdb: true, ..Request::new("k") };
    assert!(text(&request, &new()).contains(" -S -s -kernel k "));
    assert_eq!(debugger(Path::new("a b"))[0], "gdb 'a b'");
}

#[test]
fn quoting_survives_a_shell() {
    for word in ["plain", "", "two words", "it's", "$HOME", "a;b", "\"", "\\", "*", "~", "#x"] {
        let echo = format!("printf %s {}", quote(OsStr::new(word)));
        let output = std::process::Command::new("sh").args(["-c", &echo]).output();
        assert_eq!(String::from_utf8_lossy(&output.expect("sh runs").stdout), word);
    }
}

#[test]
fn every_profile_parses() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../machines"));
    for name in ["q35", "microvm"] {
        let machine = crate::Machine::find(folder, name).expect("the profile is there");
        assert_eq!(machine.name, name);
    }
    assert_eq!(
        crate::Machine::find(folder, "pdp11"),
        Err("no machine 'pdp11': there are microvm, q35".into())
    );
}
