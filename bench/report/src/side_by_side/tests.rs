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
    table(&[("runq=bitmap", &bitmap), ("runq=list", &list)], rows, Style::PLAIN)
}

#[test]
fn differences_stand_beside_the_first() {
    let expected = "\
compare A runq=bitmap
        B runq=list
benchmark                   A                B
kernel/switch              36      43.5 (+7.5)
kernel/long             12345       12340 (-5)
new                         -                7
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
    assert!(got.contains("same                        5                5\n"), "{got}");
    assert!(!got.contains("--all"));
}

#[test]
fn what_failed_has_no_figure() {
    let mut broken = results(&[("a", 5, 1)]);
    broken[0].ok = false;
    let whole = results(&[("a", 5, 1)]);
    let got = table(&[("x", &whole), ("y", &broken)], Rows::Goals, Style::PLAIN);
    assert!(got.contains("a                           5                -\n"), "{got}");
}
