use super::*;
use crate::json::tests::result;

fn results(figures: &[(&str, u64)]) -> Vec<BenchResult> {
    figures.iter().map(|(name, value)| result(name, &[*value])).collect()
}

#[test]
fn a_curve_says_how_it_grows_and_what_is_missing() {
    let one = results(&[("a/flat", 100), ("a/line", 1000)]);
    let four = results(&[("a/flat", 101), ("a/line", 4000), ("a/two", 7)]);
    let mut many = results(&[("a/flat", 103), ("a/line", 200_000)]);
    many[1].ok = false;
    let points = [
        Point { cpus: 1, results: &one, whole: true },
        Point { cpus: 4, results: &four, whole: true },
        Point { cpus: 64, results: &many, whole: false },
    ];
    let rows = [("a/flat", "flat"), ("a/line", "a line"), ("a/two", ""), ("a/none", "nothing")]
        .map(|(name, shape)| Row { name, shape });
    let got = table(&rows, &points, &Goals::builtin(), Style::PLAIN);
    let expected = "\
CPUs                     1     4    64
a/flat                 100   101   103
     insns, 1 to 64 CPUs: x 1.03, flat
     expected: flat
a/line                1000  4000  FAIL
     insns, 1 to 4 CPUs: x 4.00, linear
     expected: a line
a/two                    -     7     ?
     insns
a/none                   -     -     ?
";
    assert_eq!(got, expected, "{got}");
}

#[test]
fn a_goal_says_where_it_is_missed() {
    let (few, many) = (results(&[("kernel/switch", 50)]), results(&[("kernel/switch", 61)]));
    let points = [
        Point { cpus: 2, results: &few, whole: true },
        Point { cpus: 255, results: &many, whole: true },
    ];
    let rows = [Row { name: "kernel/switch", shape: "" }];
    let got = table(&rows, &points, &Goals::builtin(), Style::PLAIN);
    assert!(got.contains("; G3 must 60: MISS at 255\n"), "{got}");
}

#[test]
fn figures_fit_their_column() {
    for (value, text) in [
        (9, "9"),
        (99_999, "99999"),
        (123_456, "123k"),
        (12_345_678, "12M"),
        (4_000_000_000, "4000M"),
    ] {
        let got = figure(&result("a/b", &[value]), &Goals::builtin());
        assert!(got.len() <= FIGURE, "{got}");
        assert_eq!(got.trim(), text.trim());
    }
}
