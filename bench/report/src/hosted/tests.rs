use super::*;
use crate::json::is_flat;
use crate::json::tests::key;
use crate::table::Style;

fn pair(rounds: &[(f64, f64)]) -> Pair {
    Pair {
        name: "ring/push_pop".into(),
        peer: "rtrb".into(),
        version: "0.4.1".into(),
        matches: Match::Same,
        rounds: rounds.to_vec(),
        discarded: 3,
        line: None,
    }
}

fn steady() -> Pair {
    pair(&[
        (5.0, 7.0),
        (5.1, 7.1),
        (5.2, 7.0),
        (5.0, 7.2),
        (5.0, 7.0),
        (5.1, 7.0),
        (5.0, 7.1),
        (5.0, 7.0),
        (50.0, 70.0),
    ])
}

#[test]
fn the_interval_holds_the_median_and_shrugs_at_outliers() {
    let pair = steady();
    let (low, high) = pair.interval();
    let middle = median(&pair.ratios());
    assert!(low <= middle && middle <= high);
    assert!(high - low < 0.05, "{low}..{high}");
    assert_eq!(pair.interval(), (low, high), "the same rounds give the same interval");
}

#[test]
fn scattered_rounds_have_a_wide_interval() {
    let rounds: Vec<(f64, f64)> = (1..=20).map(|i| (f64::from(i), 10.0)).collect();
    let (low, high) = pair(&rounds).interval();
    assert!(low < 0.9 && high > 1.2, "{low}..{high}");
}

#[test]
fn the_median_is_in_the_middle() {
    assert_eq!(median(&[1.0, 2.0, 9.0]), 2.0);
    assert_eq!(median(&[1.0, 2.0, 4.0, 9.0]), 3.0);
}

#[test]
fn too_few_rounds_give_no_figure_and_say_so() {
    let few = pair(&[(1.0, 2.0); FEWEST - 1]);
    assert_eq!(few.met(&Goals::builtin()), None);
    let row = row(&few, &Goals::builtin(), Spread::Shown, Style::PLAIN);
    assert!(row.contains("no figure: 8 of 11 rounds were quiet"), "{row}");
    let line = few.json(&Goals::builtin(), &key());
    assert!(is_flat(&line) && !line.contains("ratio_median"), "{line}");
}

#[test]
fn a_pair_is_judged_by_the_whole_interval() {
    let goals = Goals::builtin();
    assert_eq!(steady().met(&goals), Some(true));
    assert_eq!(pair(&[(0.9, 1.0); 9]).met(&goals), Some(false));
    let line = steady().json(&goals, &key());
    assert!(
        is_flat(&line) && line.contains("\"goal\":\"G11\",\"goal_must\":0.8,\"goal_met\":true"),
        "{line}"
    );
    let scattered: Vec<(f64, f64)> = (1..=20).map(|i| (f64::from(i), 10.0)).collect();
    let open = pair(&scattered);
    assert_eq!(open.met(&goals), None);
    assert!(!open.json(&goals, &key()).contains("goal_met"));
    assert!(foot(&[open], &goals).contains("? the goal lies within"));
}

#[test]
fn the_table_looks_as_promised() {
    let goals = Goals::builtin();
    let mut thread = pair(&[(40.0, 84_600.0); 9]);
    (thread.name, thread.peer) = ("user/create_join".into(), "std thread".into());
    let mut near = pair(&[(27.9, 3.2); 9]);
    (near.name, near.peer, near.matches) =
        ("user/yield".into(), "corosensei".into(), Match::Nearest);
    near.discarded = 0;
    let rows: String = [steady(), thread.clone(), near]
        .iter()
        .map(|pair| row(pair, &goals, Spread::Hidden, Style::PLAIN))
        .collect();
    assert_eq!(
        head(Style::PLAIN) + &rows,
        "\
goal pair             peer           ours    peer ratio 95 % interval  must
G11  ring/push_pop    rtrb            5.0     7.0  0.71     0.70-0.73  0.80 ok
G16  user/create_join std thread     40.0   84600 .0005   .0005-.0005 .0010 ok
     user/yield       corosensei ~   27.9     3.2  8.72     8.72-8.72
"
    );
    let spread = row(&steady(), &goals, Spread::Shown, Style::PLAIN);
    assert!(
        spread
            .ends_with("     9 rounds, 3 disturbed ones left out: min 0.69  p99 0.74  max 0.74\n"),
        "{spread}"
    );
}

#[test]
fn a_narrow_terminal_keeps_what_matters() {
    let goals = Goals::builtin();
    for columns in 51..=90 {
        let style = Style { columns, ..Style::PLAIN };
        let text = head(style) + &row(&steady(), &goals, Spread::Hidden, style);
        assert!(text.lines().all(|line| line.chars().count() <= columns), "{columns}:\n{text}");
        assert!(text.contains("ratio") && text.contains("0.71") && text.contains("ok"));
    }
}
