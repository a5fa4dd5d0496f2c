use super::*;
use crate::baseline::{Baseline, Scope, Verdict};
use crate::json::tests::{key, result};
use std::collections::BTreeMap;

const GOALS: &str = "
[[goal]]
id = 'G3'
bench = 'kernel/switch'
what = ''
unit = 'insns'
must = 60
opponent = [{ name = 'Linux yield', figure = 1520, version = '-', source = '-', match = 'nearest' }]
[[goal]]
id = 'G13'
bench = 'kernel/wake_cross'
what = ''
unit = 'insns'
must = 600
opponent = [{ name = 'Linux futex', figure = 17029, version = '-', source = '-', match = 'same' }]
[[goal]]
id = 'G1'
bench = 'user/switch'
what = ''
unit = 'insns'
must = 12
opponent = [{ name = 'corosensei', figure = 13.5, version = '-', source = '-', match = 'same' }]
[[goal]]
id = 'G16'
bench = 'user/create_join'
what = ''
unit = 'insns'
must = 100
opponent = [{ name = 'tokio', figure = 2112, version = '-', source = '-', match = 'nearest' }]
";

fn goals() -> Goals {
    Goals::parse(GOALS).expect("goals")
}

fn results() -> Vec<BenchResult> {
    let mut results = vec![
        result("kernel/switch", &[58]),
        result("kernel/wake_cross", &[634, 634, 660]),
        result("user/switch", &[11]),
        result("user/create_join", &[98, 98, 101]),
    ];
    results.extend((0..24).map(|i| result(&format!("other/number_{i}"), &[i])));
    results
}

#[test]
fn the_table_looks_as_promised() {
    assert_eq!(
        goals_table(&results(), &goals(), Rows::Goals, Style::PLAIN),
        "\
goal benchmark            min   med   p99  must        opponent
G3   kernel/switch         58    58    58    60 ok     1520 Linux yield     ~
G13  kernel/wake_cross    634   634   660   600 MISS  17029 Linux futex
G1   user/switch           11    11    11    12 ok     13.5 corosensei
G16  user/create_join      98    98   101   100 ok     2112 tokio           ~
     ... 24 more: --all           ~ nearest, not the same operation: CAVEATS.md
"
    );
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let mut results = results();
    results.push(result("kernel/port_send_reply", &[123_456, 999_999]));
    for columns in 40..=120 {
        let style = Style { columns, color: Color::Never };
        for rows in [Rows::Goals, Rows::All] {
            let table = goals_table(&results, &goals(), rows, style);
            let lines = table.lines().filter(|line| !line.contains("nearest"));
            let widest = lines.map(|line| line.chars().count()).max();
            assert!(widest <= Some(columns + 2), "{columns}: {widest:?}\n{table}");
        }
    }
}

#[test]
fn a_narrow_terminal_keeps_what_matters() {
    let table =
        goals_table(&results(), &goals(), Rows::Goals, Style { columns: 42, color: Color::Never });
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0], "goal benchmark            min  must");
    assert_eq!(lines[2], "G13  kernel/wake_cross    634   600 MISS");
}

#[test]
fn another_unit_is_not_judged_and_a_failure_is_shown() {
    let mut results = vec![result("kernel/switch", &[900]), result("x/y", &[1])];
    results[0].unit = "cycles".into();
    results[1].ok = false;
    results[1].message = "not conserved".into();
    let table = goals_table(&results, &goals(), Rows::Goals, Style::PLAIN);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[1], "G3   kernel/switch        900   900   900");
    assert_eq!(lines[2], "     x/y                    1     1     1 FAILED not conserved");
}

#[test]
fn a_unit_that_is_not_the_usual_one_is_said() {
    let mut results: Vec<_> =
        (0..9).map(|at| result(&format!("scale/row_number_{at}"), &[1])).collect();
    results[1].unit = "KiB".into();
    results[3..].iter_mut().for_each(|result| result.unit = "per mille".into());
    let table = goals_table(&results, &goals(), Rows::All, Style::PLAIN);
    let units = "     in KiB: scale/row_number_1\n     in per mille: scale/row_number_3, scale/row_number_4, scale/row_number_5,\n       \
                 scale/row_number_6, scale/row_number_7, scale/row_number_8\n";
    assert!(table.ends_with(units), "{table}");
    assert!(table.lines().all(|line| line.len() <= 80));
}

#[test]
fn colour_only_where_it_is_wanted() {
    assert_eq!(Style::of(None, None), Style::PLAIN);
    assert_eq!(Style::of(Some(100), Some("1")), Style { columns: 100, color: Color::Never });
    // An empty NO_COLOR counts as not set.
    let style = Style::of(Some(80), Some(""));
    assert_eq!(style.color, Color::Always);
    let colored = goals_table(&results(), &goals(), Rows::Goals, style);
    assert!(colored.contains("\x1b[31;1mMISS\x1b[0m"));
    let plain = colored.replace("\x1b[31;1m", "").replace("\x1b[32m", "").replace("\x1b[0m", "");
    assert_eq!(plain, goals_table(&results(), &goals(), Rows::Goals, Style::PLAIN));
}

#[test]
fn the_baseline_looks_as_promised() {
    let figure = |value, ipis: &[(&str, u64)]| Figure {
        unit: "insns".into(),
        stat: "min".into(),
        value,
        ops: 1,
        n: 1000,
        counters: ipis.iter().map(|&(name, value)| (name.into(), value)).collect(),
    };
    let ipis = [("ipi_sent", 31), ("ipi_avoided", 969)];
    let same = |i: u32| Row {
        bench: format!("a/{i}"),
        verdict: Verdict::Same,
        old: Some(figure(1, &[])),
        new: figure(1, &[]),
    };
    let mut rows: Vec<Row> = (0..27).map(same).collect();
    let mut comparison = Comparison { rows: rows.clone(), gone: Vec::new() };
    let old = Baseline { schema: 1, reasons: Vec::new(), run: key(), figures: BTreeMap::new() };
    assert_eq!(
        baseline(&comparison, &old, &key(), Style::PLAIN),
        "baseline rustc-1.96/qemu-10/x2apic/smp4: 27 same, 0 better, 0 worse\n"
    );
    rows.push(Row {
        bench: "ipi/push_pop".into(),
        verdict: Verdict::Worse,
        old: Some(figure(28, &ipis)),
        new: figure(30, &ipis),
    });
    comparison.rows = rows;
    assert_eq!(
        baseline(&comparison, &old, &key(), Style::PLAIN),
        "\
baseline rustc-1.96/qemu-10/x2apic/smp4: 27 same, 0 better, 1 worse
     ipi/push_pop      28 -> 30 (+2)     IPIs 31 = 31, avoided 969 = 969
"
    );
    comparison.gone.push("ipi/one_way".into());
    let other = RunKey { llvm: "22.1.8".into(), ..key() };
    let text = baseline(&comparison, &old, &other, Style::PLAIN);
    assert!(text.starts_with(
        "baseline rustc-1.96/qemu-10/x2apic/smp4: 27 same, 0 better, 1 worse, 1 gone\n"
    ));
    assert!(
        text.ends_with("     ipi/one_way is no more\n     it was made with LLVM 22.1.2\n"),
        "{text}"
    );
    assert_eq!(
        no_baseline(&key()),
        "baseline rustc-1.96/qemu-10/x2apic/smp4: none yet; --bless 'reason' makes one\n"
    );
}

#[test]
fn what_changed_beside_the_figure_is_told() {
    let base = Baseline {
        schema: 1,
        reasons: Vec::new(),
        run: key(),
        figures: BTreeMap::from([(
            "user/pipe".to_owned(),
            Figure {
                unit: "insns".into(),
                stat: "min".into(),
                value: 41,
                ops: 2,
                n: 1,
                counters: BTreeMap::from([("kernel_entries".to_owned(), 2)]),
            },
        )]),
    };
    let mut now = result("user/pipe", &[40]);
    now.ops = 2;
    let comparison = Comparison::of(&base, &[now], Scope::All, &goals());
    let text = baseline(&comparison, &base, &key(), Style::PLAIN);
    let (_, lines) = text.split_once('\n').expect("two lines at least");
    assert_eq!(
        lines,
        "     user/pipe         20.5 -> 20 (-0.5) IPIs 0 -> 31, avoided 0 -> 969,
                                         kernel entries 2 -> 0
"
    );
    for columns in 40..100 {
        let text = baseline(&comparison, &base, &key(), Style { columns, ..Style::PLAIN });
        let widest = text.lines().skip(1).map(|line| line.chars().count()).max();
        assert!(widest <= Some(columns.max(57)), "{columns}: {text}");
    }
}

#[test]
fn the_last_line_looks_as_promised() {
    let totals = Totals { goals: (10, 1), benches: (28, 0), stress: (9, 0) };
    assert_eq!(
        result_line(totals, "1 min 48 s"),
        "RESULT  10 goals met, 1 missed; 9 stress passed, 0 failed; 1 min 48 s\n"
    );
    let totals = Totals { goals: (1, 0), benches: (27, 1), stress: (0, 0) };
    assert_eq!(
        result_line(totals, "2.0 s"),
        "RESULT  1 goal met, 0 missed; 1 benchmark failed; 2.0 s\n"
    );
    let totals = Totals { benches: (2, 0), ..Totals::default() };
    assert_eq!(result_line(totals, "0.4 s"), "RESULT  2 benchmarks passed; 0.4 s\n");
}
