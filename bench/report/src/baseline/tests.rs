use super::*;
use crate::json::tests::{key, result};

#[test]
fn a_blessed_run_is_the_same_as_itself() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, goals) = (Store::new(dir.path().join("new")), Goals::builtin());
    let results = [result("ipi/push_pop", &[28, 30]), result("user/switch", &[11])];
    assert!(store.load(&key()).expect("readable").is_none());
    let path =
        store.bless(&key(), &results, Scope::All, &goals, "the first figures").expect("blessed");
    assert_eq!(
        path.file_name().and_then(|name| name.to_str()),
        Some("rustc-1.96_qemu-10_x2apic_smp4.json")
    );
    let baseline = store.load(&key()).expect("readable").expect("blessed");
    assert_eq!(baseline.reasons, ["3f2c9e1: the first figures"]);
    let comparison = Comparison::of(&baseline, &results, Scope::All, &goals);
    assert_eq!(comparison.count(Verdict::Same), 2);
    assert!(!comparison.is_worse());
}

#[test]
fn one_instruction_is_a_difference() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, goals) = (Store::new(dir.path()), Goals::builtin());
    let old = [result("a/a", &[28]), result("a/b", &[28]), result("a/c", &[28])];
    store.bless(&key(), &old, Scope::All, &goals, "first").expect("blessed");
    let baseline = store.load(&key()).expect("readable").expect("blessed");
    let new = [
        result("a/a", &[29]),
        result("a/b", &[27, 99]),
        result("a/c", &[28, 99]),
        result("a/d", &[1]),
    ];
    let comparison = Comparison::of(&baseline, &new, Scope::All, &goals);
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

/// A hundred draws of a count around `middle`, in the unit whose figure is the median.
fn drawn(middle: u64, spread: u64) -> BenchResult {
    let samples: Vec<u64> = (0..100).map(|draw| middle - 50 * spread + draw * spread).collect();
    BenchResult { unit: "doorbells".into(), ..result("ipi/singly", &samples) }
}

#[test]
fn a_median_that_chance_explains_is_the_same() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, goals) = (Store::new(dir.path()), Goals::builtin());
    let verdict = |old: BenchResult, new: BenchResult| {
        store.bless(&key(), &[old], Scope::All, &goals, "a draw").expect("blessed");
        let baseline = store.load(&key()).expect("readable").expect("blessed");
        Comparison::of(&baseline, &[new], Scope::All, &goals).rows[0].verdict
    };
    // 21 ranks, of a doorbell each, are three deviations.
    assert_eq!(verdict(drawn(111, 1), drawn(132, 1)), Verdict::Same);
    assert_eq!(verdict(drawn(111, 1), drawn(133, 1)), Verdict::Worse);
    assert_eq!(verdict(drawn(111, 1), drawn(90, 1)), Verdict::Same);
    assert_eq!(verdict(drawn(111, 1), drawn(89, 1)), Verdict::Better);
    assert_eq!(verdict(drawn(111, 0), drawn(112, 0)), Verdict::Worse, "no spread, no chance");
    let least = |middle| BenchResult { unit: "insns".into(), ..drawn(middle, 1) };
    assert_eq!(verdict(least(111), least(112)), Verdict::Worse, "instructions are exact");
    let fewer = BenchResult { samples: vec![112], ..drawn(112, 1) };
    assert_eq!(verdict(drawn(111, 1), fewer), Verdict::Worse, "other numbers of draws");
}

#[test]
fn a_part_that_is_blessed_keeps_the_rest() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, goals) = (Store::new(dir.path()), Goals::builtin());
    let (all, part) = ([result("a/a", &[1]), result("a/b", &[2])], [result("a/b", &[3])]);
    store.bless(&key(), &all, Scope::All, &goals, "first").expect("blessed");
    let changed = RunKey { dirty: Some(true), ..key() };
    store.bless(&changed, &part, Scope::Chosen, &goals, "b grew a check").expect("blessed");
    let baseline = store.load(&key()).expect("readable").expect("blessed");
    assert_eq!(baseline.figures["a/a"].value, 1);
    assert_eq!(baseline.figures["a/b"].value, 3);
    assert_eq!(baseline.reasons, ["3f2c9e1+: b grew a check", "3f2c9e1: first"]);
    assert!(Comparison::of(&baseline, &part, Scope::Chosen, &goals).gone.is_empty());
}

#[test]
fn a_benchmark_that_is_no_more_is_told_until_all_is_blessed() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, goals) = (Store::new(dir.path()), Goals::builtin());
    let (old, new) = ([result("a/a", &[1]), result("a/b", &[2])], [result("a/b", &[2])]);
    store.bless(&key(), &old, Scope::All, &goals, "first").expect("blessed");
    let baseline = store.load(&key()).expect("readable").expect("blessed");
    let comparison = Comparison::of(&baseline, &new, Scope::All, &goals);
    assert_eq!(comparison.gone, ["a/a"]);
    assert!(comparison.is_worse());
    store.bless(&key(), &new, Scope::All, &goals, "a is no more").expect("blessed");
    let baseline = store.load(&key()).expect("readable").expect("blessed");
    assert_eq!(baseline.figures.keys().collect::<Vec<_>>(), ["a/b"]);
}

#[test]
fn what_may_not_be_blessed_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, goals) = (Store::new(dir.path()), Goals::builtin());
    let good = [result("a/a", &[1])];
    let refused = |key: &RunKey, results: &[BenchResult], reason| {
        store.bless(key, results, Scope::All, &goals, reason).expect_err("refused").to_string()
    };
    assert!(refused(&key(), &good, "  ").contains("with a reason"));
    let tcg = RunKey { mode: "tcg".into(), ..key() };
    assert!(refused(&tcg, &good, "why").contains("in mode tcg do not repeat"));
    let quick = RunKey { settings: "-d int quick".into(), ..key() };
    assert!(refused(&quick, &good, "why").contains("of full runs"));
    let mut bad = good.clone();
    bad[0].ok = false;
    assert!(refused(&key(), &bad, "why").contains("a/a failed"));
    assert!(store.load(&key()).expect("readable").is_none());
}

/// A store with a figure of `user/switch`, whose file has `old` replaced by `new`.
fn damaged(old: &str, new: &str) -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::new(dir.path());
    let results = [result("user/switch", &[72])];
    let path =
        store.bless(&key(), &results, Scope::All, &Goals::builtin(), "first").expect("blessed");
    let text = fs::read_to_string(&path).expect("readable");
    assert!(text.contains(old), "{old}: {text}");
    fs::write(&path, text.replacen(old, new, 1)).expect("written");
    (dir, store)
}

#[test]
fn what_no_run_can_have_written_is_an_error_of_the_file() {
    for (old, new, what) in [
        ("\"schema\": 2", "\"schema\": 99", "schema 99, where 2 is read"),
        ("\"mode\": \"insns\"", "\"mode\": \"tcg\"", "smp4/tcg, where those of"),
        ("\"cpus\": 4", "\"cpus\": 2", "/smp2, where those of"),
        ("\"settings\": \"\"", "\"settings\": \"quick\"", "/quick, where those of"),
        ("\"ops\": 1", "\"ops\": 0", "user/switch: a figure of 0 operations"),
        ("\"stat\": \"min\"", "\"stat\": \"zzz\"", "user/switch: no statistic is called \"zzz\""),
        ("\"value\": 72", "\"value\": -72", "not a baseline: invalid value: integer `-72`"),
        ("\"value\"", "\"valu\"", "not a baseline: missing field `value` at line"),
        ("{", "<<<<<<< HEAD\n{", "not a baseline: expected value at line 1 column 1"),
    ] {
        let (_dir, store) = damaged(old, new);
        let error = store.load(&key()).expect_err(what).to_string();
        let path = store.path(&key()).display().to_string();
        assert!(error.starts_with(&format!("{path}: ")) && !error.contains('\n'), "{error}");
        assert!(error.contains(what), "{what}: {error}");
        assert!(error.contains(&format!("`git checkout {path}`")), "{error}");
        assert!(error.contains("--bless 'why'"), "{error}");
    }
}

#[test]
fn an_empty_file_and_one_that_is_no_text_are_named() {
    let (_dir, store) = damaged("{", "");
    for bytes in [&b""[..], b"\xff\xfe", b"[]"] {
        fs::write(store.path(&key()), bytes).expect("written");
        let error = store.load(&key()).expect_err("damaged").to_string();
        assert!(error.contains("smp4.json: not a baseline: "), "{error}");
    }
}

#[test]
fn a_damaged_file_gives_way_to_all_figures_but_not_to_some() {
    let (_dir, store) = damaged("\"schema\": 2", "\"schema\": 99");
    let (goals, results) = (Goals::builtin(), [result("user/switch", &[36])]);
    let bless = |scope| store.bless(&key(), &results, scope, &goals, "anew");
    assert!(bless(Scope::Chosen).is_err_and(|error| error.to_string().contains("schema 99")));
    assert!(store.load(&key()).is_err());
    bless(Scope::All).expect("blessed");
    let baseline = store.load(&key()).expect("readable").expect("blessed");
    assert_eq!(baseline.reasons, ["3f2c9e1: anew"]);
    assert_eq!(baseline.figures["user/switch"].value, 36);
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
        RunKey { seed: 7, ..key() },
    ];
    let store = Store::new("");
    for key in &other {
        assert_ne!(store.path(key), store.path(&self::key()));
    }
    let later =
        RunKey { qemu: "10.1.0".into(), git: "other".into(), llvm: "22.1.8".into(), ..key() };
    assert_eq!(store.path(&later), store.path(&key()));
    assert_eq!(later.other_builds(&key()).as_deref(), Some("LLVM 22.1.8, QEMU 10.1.0"));
    assert_eq!(key().other_builds(&key()), None);
}
