use super::*;
use crate::json::tests::{key, result};

#[test]
fn a_blessed_run_is_the_same_as_itself() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, goals) = (Store::new(dir.path().join("new")), Goals::builtin());
    let results = [result("ipi/push_pop", &[28, 30]), result("user/switch", &[11])];
    assert!(store.load(&key()).expect("readable").is_none());
    let path = store.bless(&key(), &results, &goals, "the first figures").expect("blessed");
    assert_eq!(
        path.file_name().and_then(|name| name.to_str()),
        Some("rustc-1.96_qemu-10_x2apic_smp4.json")
    );
    let baseline = store.load(&key()).expect("readable").expect("blessed");
    assert_eq!(baseline.reasons, ["3f2c9e1: the first figures"]);
    let comparison = Comparison::of(&baseline, &results, &goals);
    assert_eq!(comparison.count(Verdict::Same), 2);
    assert!(!comparison.is_worse());
}

#[test]
fn one_instruction_is_a_difference() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, goals) = (Store::new(dir.path()), Goals::builtin());
    let old = [result("a/a", &[28]), result("a/b", &[28]), result("a/c", &[28])];
    store.bless(&key(), &old, &goals, "first").expect("blessed");
    let baseline = store.load(&key()).expect("readable").expect("blessed");
    let new = [
        result("a/a", &[29]),
        result("a/b", &[27, 99]),
        result("a/c", &[28, 99]),
        result("a/d", &[1]),
    ];
    let comparison = Comparison::of(&baseline, &new, &goals);
    let verdicts: Vec<Verdict> = comparison.rows.iter().map(|row| row.verdict).collect();
    assert_eq!(verdicts, [Verdict::Worse, Verdict::Better, Verdict::Same, Verdict::New]);
    assert!(comparison.is_worse());
}

#[test]
fn figures_are_compared_per_operation() {
    let old = Figure::of(&result("a/a", &[30]), Stat::Min);
    let mut twice = result("a/a", &[60]);
    twice.ops = 2;
    assert_eq!(verdict(&old, &Figure::of(&twice, Stat::Min)), Verdict::Same);
    twice.summary.min = 61;
    assert_eq!(verdict(&old, &Figure::of(&twice, Stat::Min)), Verdict::Worse);
}

#[test]
fn a_part_that_is_blessed_keeps_the_rest() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, goals) = (Store::new(dir.path()), Goals::builtin());
    store
        .bless(&key(), &[result("a/a", &[1]), result("a/b", &[2])], &goals, "first")
        .expect("blessed");
    store.bless(&key(), &[result("a/b", &[3])], &goals, "b grew a check").expect("blessed");
    let baseline = store.load(&key()).expect("readable").expect("blessed");
    assert_eq!(baseline.figures["a/a"].value, 1);
    assert_eq!(baseline.figures["a/b"].value, 3);
    assert_eq!(baseline.reasons, ["3f2c9e1: b grew a check", "3f2c9e1: first"]);
}

#[test]
fn what_may_not_be_blessed_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, goals) = (Store::new(dir.path()), Goals::builtin());
    let good = [result("a/a", &[1])];
    assert!(matches!(store.bless(&key(), &good, &goals, "  "), Err(StoreError::NoReason)));
    let tcg = RunKey { mode: "tcg".into(), ..key() };
    assert!(matches!(store.bless(&tcg, &good, &goals, "why"), Err(StoreError::Mode(_))));
    let mut bad = good.clone();
    bad[0].ok = false;
    assert!(matches!(store.bless(&key(), &bad, &goals, "why"), Err(StoreError::Failed(_))));
    assert!(store.load(&key()).expect("readable").is_none());
}

#[test]
fn a_damaged_file_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::new(dir.path());
    std::fs::write(store.path(&key()), "{").expect("written");
    let error = store.load(&key()).expect_err("damaged").to_string();
    assert!(error.contains("smp4.json"), "{error}");
}

#[test]
fn other_circumstances_have_another_file() {
    let other = [
        RunKey { compiler: "rustc 1.97.0".into(), ..key() },
        RunKey { qemu: "7.2.22".into(), ..key() },
        RunKey { apic: "xAPIC".into(), ..key() },
        RunKey { cpus: 2, ..key() },
        RunKey { settings: "-cpu host".into(), ..key() },
        RunKey { mode: "tcg".into(), ..key() },
    ];
    let store = Store::new("");
    for key in &other {
        assert_ne!(store.path(key), store.path(&self::key()));
    }
    let later = RunKey { qemu: "10.1.0".into(), git: "other".into(), seed: 7, ..key() };
    assert_eq!(store.path(&later), store.path(&key()));
}
