use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use super::*;

const NOBODY: &dyn Fn() -> Option<i32> = &|| None;

/// A program of this script in a folder of its own.
fn script(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("qemu");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("made executable");
    (folder, path)
}

/// Why the QEMU that `text` plays could not be asked within a second, and how long that took.
fn unasked(text: &str, caught: &dyn Fn() -> Option<i32>) -> (Unasked, Duration) {
    let ((_folder, qemu), start) = (script(text), Instant::now());
    let unasked = ask_within(Duration::from_secs(1), &qemu, caught);
    (unasked.expect("it starts").expect_err("no QEMU"), start.elapsed())
}

#[test]
fn the_patience_ends_also_while_something_is_said() {
    for text in ["exec sleep 100", "while :; do echo hello; sleep 0.01; done"] {
        let (unasked, took) = unasked(text, NOBODY);
        assert_eq!(unasked.stderr, ["[no answer within 1.0 s]"], "{text}");
        assert!(took < Duration::from_secs(10), "{text}: {took:?}");
    }
}

#[test]
fn a_line_without_end_is_no_answer() {
    let (unasked, _) = unasked("exec tr '\\0' x </dev/zero", NOBODY);
    assert_eq!((unasked.status, unasked.stderr), (None, vec![TOO_MUCH.to_owned()]));
}

#[test]
fn a_signal_ends_the_question_and_the_child() {
    let answers = r#"echo '{"QMP":{"version":{"qemu":{"micro":2,"minor":0,"major":10}}}}'
        echo '{"return":{"model":{"props":{}}}}'"#;
    for (text, after) in [("", 0), (":", 100), (answers, 300)] {
        let text = format!("echo $$ >\"$0.pid\"\n{text}\nexec sleep 100");
        let ((folder, qemu), start) = (script(&text), Instant::now());
        let caught = || (start.elapsed() >= Duration::from_millis(after)).then_some(15);
        let asked = ask_within(Duration::from_secs(60), &qemu, &caught).expect("it starts");
        assert!(start.elapsed() < Duration::from_millis(after + 5000), "{:?}", start.elapsed());
        assert_eq!(asked.expect_err("interrupted").interrupted, Some(15));
        if after > 0 {
            let pid = fs::read_to_string(folder.path().join("qemu.pid")).expect("it ran");
            let alive = Command::new("sh")
                .args(["-c", &format!("kill -0 {pid}")])
                .stderr(Stdio::null())
                .status();
            assert!(!alive.expect("a shell").success(), "{pid} lives, or was not reaped");
        }
    }
}

#[test]
fn a_child_that_holds_the_stream_is_not_waited_for() {
    let (unasked, took) = unasked("sleep 8 & exit 4", NOBODY);
    assert_eq!(unasked.status, Some(4));
    assert!(took < Duration::from_secs(7), "{took:?}");
}

#[test]
fn of_many_complaints_the_last_are_kept() {
    let long = "y".repeat(1000);
    let (unasked, _) = unasked(&format!("seq 100 >&2; echo {long} >&2; exit 4"), NOBODY);
    assert_eq!(unasked.stderr.len(), KEPT);
    assert_eq!((unasked.stderr[0].as_str(), unasked.stderr[KEPT - 1].len()), ("82", WIDEST));
    assert_eq!((unasked.status, unasked.interrupted), (Some(4), None));
}
