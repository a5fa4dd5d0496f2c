use super::*;
use crate::json::tests::result;

fn results(figures: &[(&str, u64, u64)]) -> Vec<BenchResult> {
    let one = |(name, least, ops): &(&str, u64, u64)| {
        let mut result = result(name, &[*least]);
        (result.summary.min, result.ops) = (*least, *ops);
        result
    };
    figures.iter().map(one).collect()
}

fn drawn(rows: Rows) -> String {
    let bitmap = results(&[("kernel/switch", 72, 2), ("kernel/long", 12_345, 1), ("same", 5, 1)]);
    let list = results(&[
        ("kernel/switch", 87, 2),
        ("kernel/long", 12_340, 1),
        ("same", 5, 1),
        ("new", 7, 1),
    ]);
    let both = [("runq=bitmap", bitmap.as_slice()), ("runq=list", list.as_slice())];
    table(&both, &Goals::builtin(), rows, Style::PLAIN)
}

#[test]
fn differences_stand_beside_the_first() {
    let expected = "\
compare A runq=bitmap
        B runq=list
benchmark            of            A                B
kernel/switch        min          36      43.5 (+7.5)
kernel/long          min       12345       12340 (-5)
new                  min           -                7
     1 are the same in all: --all
";
    let got = drawn(Rows::Goals);
    assert_eq!(
        got.lines().map(str::trim_end).collect::<Vec<_>>(),
        expected.lines().collect::<Vec<_>>(),
        "{got}"
    );
}

#[test]
fn all_rows_are_there_when_asked_for() {
    let got = drawn(Rows::All);
    assert!(got.contains("same                 min           5                5\n"), "{got}");
    assert!(!got.contains("--all"));
}

#[test]
fn what_failed_has_no_figure() {
    let mut broken = results(&[("a", 5, 1)]);
    broken[0].ok = false;
    let whole = results(&[("a", 5, 1)]);
    let got = table(&[("x", &whole), ("y", &broken)], &Goals::builtin(), Rows::Goals, Style::PLAIN);
    assert!(got.contains("a                    min           5                -\n"), "{got}");
}

/// Its least would say that every policy wakes at once.
#[test]
fn what_is_judged_by_its_worst_is_compared_by_it() {
    let turns = |worst| {
        let mut result = result("kernel/wake_turns", &[1]);
        result.unit = "turns".into();
        (result.summary.min, result.summary.max, result.ops) = (1, worst, 1);
        vec![result]
    };
    let (first, second) = (turns(65), turns(5));
    let got = table(
        &[("runq=bitmap", &first), ("runq=fair", &second)],
        &Goals::builtin(),
        Rows::Goals,
        Style::PLAIN,
    );
    assert!(got.contains("kernel/wake_turns    max          65          5 (-60)\n"), "{got}");
}
