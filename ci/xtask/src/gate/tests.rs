use super::*;
use crate::cli::{self, BenchArgs, Verb};
use bench_api::{Counters, stats::Summary};
use bench_report::{BenchResult, RunKey};
use runner::screen::Look;

fn args(words: &[&str]) -> BenchArgs {
    let words = ["./x", "bench"].iter().chain(words).map(|word| (*word).into());
    match cli::parse_from(words) {
        Ok(Verb::Bench(args)) => args,
        other => panic!("{other:?}"),
    }
}

fn refused(words: &[&str]) -> Option<String> {
    let run = args(words).run;
    refusal(&run.baseline, &run.machine, &run.output)
}

#[test]
fn figures_of_a_foreign_image_are_compared_but_not_accepted() {
    let own = std::env::current_exe().expect("this test");
    let image = own.to_str().expect("a path");
    let line = refused(&["--image", image, "--bless", "why"]).expect("refused");
    assert!(line.contains("--image") && !line.contains('\n'), "{line}");
    assert_eq!(refused(&["--image", image, "--baseline"]), None);
    assert_eq!(refused(&["--bless", "why"]), None);
    assert!(refused(&["--quick", "--bless", "why"]).is_some());
}

fn collected() -> Collected {
    let key = RunKey { mode: "insns".into(), seed: 1, ..RunKey::default() };
    let mut collected = Collected::new(key, Vec::new());
    collected.benches.push(BenchResult {
        name: "user/switch".into(),
        ok: true,
        message: String::new(),
        unit: "insns".into(),
        warmup: 0,
        batch: 1,
        ops: 1,
        overhead: 0,
        overhead_max: 0,
        summary: Summary::of(&mut [36]).expect("a sample"),
        samples: vec![36],
        counters: Counters::ZERO,
    });
    collected
}

/// How a passed run ends that was asked for with `words`, and what is said.
fn held(store: &Store, words: &[&str]) -> (Status, String) {
    let (run, mut told) = (args(words).run, Vec::new());
    let mut screen = Screen::new(&mut told, Look::PLAIN);
    let drawn = (&mut screen, Style::PLAIN);
    let scope = scope(&run.choice);
    let status = hold_in(store, &run.baseline, scope, &collected(), Status::Passed, drawn);
    drop(screen);
    (status, String::from_utf8(told).expect("text"))
}

#[test]
fn a_damaged_baseline_is_an_error_for_who_asked_and_a_note_for_who_did_not() {
    let dir = place::made().join(format!("gate-{}", std::process::id()));
    let store = Store::new(&dir);
    assert_eq!(held(&store, &["--bless", "why"]).0, Status::Passed);
    assert_eq!(held(&store, &["--baseline"]).0, Status::Passed);
    let path = store.path(&collected().key);
    let text = std::fs::read_to_string(&path).expect("blessed");
    std::fs::write(&path, text.replace("\"ops\": 1", "\"ops\": 0")).expect("written");

    let (status, told) = held(&store, &["--baseline"]);
    assert_eq!((status, told.lines().count()), (Status::Boot, 1), "{told}");
    assert!(told.starts_with("x: ") && told.contains("user/switch: a figure of 0"), "{told}");
    let (status, told) = held(&store, &[]);
    assert_eq!((status, told.lines().count()), (Status::Passed, 1), "{told}");
    assert!(told.starts_with("note: "), "{told}");
    assert_eq!(held(&store, &["switch", "--bless", "why"]).0, Status::Boot);
    assert_eq!(held(&store, &["--bless", "why"]).0, Status::Passed);
    assert_eq!(held(&store, &["--baseline"]).0, Status::Passed);
    std::fs::remove_dir_all(&dir).expect("the folder goes");
}
