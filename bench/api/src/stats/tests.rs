use super::*;
use std::{format, vec, vec::Vec};

#[test]
fn quantiles_are_samples_of_nearest_rank() {
    let sorted: Vec<u64> = (1..=100).collect();
    assert_eq!(quantile(&sorted, 1, 4), 25);
    assert_eq!(quantile(&sorted, 50, 100), 50);
    assert_eq!(quantile(&sorted, 99, 100), 99);
    assert_eq!(quantile(&sorted, 999, 1000), 100);
    assert_eq!(quantile(&[7], 1, 100), 7);
    assert_eq!(quantile(&[1, 2], 50, 100), 1);
    assert_eq!(quantile(&[1, 2], 51, 100), 2);
    let many: Vec<u64> = (1..=2000).collect();
    assert_eq!(quantile(&many, 999, 1000), 1998);
}

#[test]
fn a_summary_sorts_first() {
    let summary = Summary::of(&mut [9, 1, 5, 5, 3]).expect("five samples");
    assert_eq!(summary.values(), [1, 3, 5, 5, 9, 9, 9]);
    assert_eq!(Summary::from_values(summary.values()), summary);
    assert_eq!(Summary::of(&mut []), None);
}

#[test]
fn per_op_rounds_to_tenths() {
    let text = |value, ops| format!("{}", PerOp { value, ops });
    assert_eq!(text(22, 2), "11");
    assert_eq!(text(27, 2), "13.5");
    assert_eq!(text(100, 3), "33.3");
    assert_eq!(text(200, 3), "66.7");
    assert_eq!(text(19_999, 2), "10000");
    assert_eq!(text(0, 7), "0");
    assert_eq!(text(u64::MAX, 1), "18446744073709551615");
    assert_eq!(format!("{:>6}", PerOp { value: 27, ops: 2 }), "  13.5");
}

#[test]
fn every_summary_value_was_measured() {
    let samples = vec![10, 40, 20, 30, 1000];
    let summary = Summary::of(&mut samples.clone()).expect("five samples");
    assert!(summary.values().iter().all(|value| samples.contains(value)));
}
