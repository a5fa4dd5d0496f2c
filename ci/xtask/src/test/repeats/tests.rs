use super::*;

fn record(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).expect("an object")
}

#[test]
fn a_difference_names_benchmark_field_and_values() {
    let a = record(r#"{"bench":"a/b","min":7,"raw":"7*2"}"#);
    let b = record(r#"{"bench":"a/b","min":8,"raw":"7*2","ok":true}"#);
    assert_eq!(difference(Some(&a), Some(&a)), "");
    assert_eq!(
        difference(Some(&a), Some(&b)),
        "\"a/b\" min: 7 and 8\n\"a/b\" ok: nothing and true\n"
    );
    assert!(difference(Some(&a), None).contains("more records"));
}

#[test]
fn what_is_run_on_a_busy_host_comes_back() {
    assert_eq!(while_busy(|| 7), 7);
}
