use super::*;
use crate::json::is_flat;
use crate::json::tests::key;

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
    let row = few.row(&Goals::builtin(), Style::PLAIN);
    assert!(row.contains("no figure: 8 of 11 rounds were quiet"), "{row}");
    let line = few.json(&Goals::builtin(), &key());
    assert!(is_flat(&line) && !line.contains("ratio_median"), "{line}");
}

#[test]
fn a_pair_is_judged_by_its_median_ratio() {
    let goals = Goals::builtin();
    assert_eq!(steady().met(&goals), Some(true));
    assert_eq!(pair(&[(0.9, 1.0); 9]).met(&goals), Some(false));
    let row = steady().row(&goals, Style::PLAIN);
    assert!(row.starts_with("G11  ring/push_pop        5.0    7.0  0.71"), "{row}");
    assert!(row.chars().count() <= 80 && row.contains("0.80 ok"), "{row}");
    let line = steady().json(&goals, &key());
    assert!(
        is_flat(&line) && line.contains("\"goal\":\"G11\",\"goal_must\":0.8,\"goal_met\":true"),
        "{line}"
    );
}
