use super::*;
use bench_api::stats::Summary;
use bench_api::{Counter, Counters};

/// A result with one operation per sample.
pub(crate) fn result(name: &str, samples: &[u64]) -> BenchResult {
    let mut counters = Counters::ZERO;
    counters.set(Counter::IpisSent, 31);
    counters.set(Counter::IpisAvoided, 969);
    BenchResult {
        name: name.into(),
        ok: true,
        message: String::new(),
        unit: "insns".into(),
        warmup: 2,
        batch: 1,
        ops: 1,
        overhead: 9,
        overhead_max: 9,
        summary: Summary::of(&mut samples.to_vec()).expect("samples"),
        samples: samples.to_vec(),
        counters,
    }
}

pub(crate) fn key() -> RunKey {
    RunKey {
        compiler: "rustc 1.96.0".into(),
        llvm: "22.1.2".into(),
        qemu: "10.0.2".into(),
        apic: "x2APIC".into(),
        cpus: 4,
        clock_within: 29,
        clock_apart: 0,
        mode: "insns".into(),
        settings: String::new(),
        seed: 1,
        kernel: "0.1.0".into(),
        git: "3f2c9e1".into(),
        dirty: Some(false),
        image: "ab".repeat(32),
        cpu_model: "QEMU TCG CPU".into(),
    }
}

fn stress_result() -> StressResult {
    StressResult {
        name: "kernel/storm".into(),
        seed: u64::MAX,
        ok: true,
        trace: u64::MAX,
        counts: vec![("messages".into(), 4_000_000)],
        message: "each once, \"in order\"".into(),
    }
}

#[test]
fn every_line_is_flat() {
    let goals = Goals::builtin();
    let lines = [
        bench(&result("kernel/switch", &[58, 60]), &goals, &key(), Raw::Included),
        bench(&result("user/other", &[58, 60]), &goals, &key(), Raw::Omitted),
        skip("ipi/one_way", "needs more CPUs", &key()),
        stress(&stress_result(), &key()),
        test("trap/page_fault", false, "a\nb", &key()),
    ];
    for line in lines {
        assert!(is_flat(&line), "{line}");
        assert!(!line.contains('\n'));
    }
    assert!(!is_flat("{\"a\":[1]}") && !is_flat("[]") && !is_flat("{\"a\":{}}"));
}

#[test]
fn a_line_that_answers_a_goal_says_so() {
    let line =
        bench(&result("kernel/switch", &[60, 58, 58]), &Goals::builtin(), &key(), Raw::Included);
    for part in [
        "\"kind\":\"bench\",\"suite\":\"kernel\",\"bench\":\"kernel/switch\",\"goal\":\"G3\"",
        "\"min\":58,\"q1\":58,\"median\":58,\"q3\":60,\"p99\":60,\"p999\":60,\"max\":60",
        "\"goal_stat\":\"min\",\"goal_figure\":58,\"goal_must\":60",
        "\"goal_met\":true",
        "\"opponent_match\":\"nearest\"",
        "\"counter_ipi_sent\":31,\"counter_ipi_avoided\":969",
        "\"raw\":\"60*1 58*2\"",
        "\"git\":\"3f2c9e1\"",
    ] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
}

#[test]
fn figures_are_per_operation_and_whole_where_they_can_be() {
    let mut two = result("x/y", &[22, 27]);
    two.ops = 2;
    let line = bench(&two, &Goals::builtin(), &key(), Raw::Omitted);
    assert!(line.contains("\"min\":11,") && line.contains("\"max\":13.5,"), "{line}");
    assert!(line.contains("\"mean\":12.25,\"stddev\":1.25"), "{line}");
    assert!(!line.contains("goal"));
}

#[test]
fn the_seed_of_a_stress_test_is_its_own() {
    let line = stress(&stress_result(), &key());
    assert!(line.contains("\"seed\":18446744073709551615"), "{line}");
    assert!(line.contains("\"trace\":\"ffffffffffffffff\""), "{line}");
}

/// The schema in the README lists exactly the keys that lines have.
#[test]
fn the_readme_lists_the_keys() {
    let readme = include_str!("../../../README.md");
    let goals = Goals::builtin();
    let lines = [
        bench(&result("kernel/switch", &[58, 60]), &goals, &key(), Raw::Included),
        skip("ipi/one_way", "needs more CPUs", &key()),
        stress(&stress_result(), &key()),
        test("trap/page_fault", true, "", &key()),
        boot(false, "TIME-OUT", &key()),
        played_group("web", "store", &[("came".to_owned(), 3)], &key()),
        played("web", (true, ""), &[("switches".to_owned(), 9)], &key()),
        crate::hosted::Pair {
            name: "ring/stream".into(),
            peer: "rtrb".into(),
            version: "0.4.1".into(),
            matches: Match::Same,
            rounds: vec![(1.0, 2.0); crate::hosted::FEWEST],
            discarded: 0,
            line: Some(190.0),
        }
        .json(&goals, &key()),
    ];
    let mut keys = Vec::new();
    for line in &lines {
        let fields: Map<String, Value> = serde_json::from_str(line).expect("our own line");
        keys.extend(fields.into_iter().map(|(name, _)| name));
    }
    let listed = |key: &str| {
        let key = if key.starts_with("counter_") { "counter_*" } else { key };
        let key = if key.starts_with("count_") { "count_*" } else { key };
        readme.contains(&format!("| `{key}` |"))
    };
    let missing: Vec<_> = keys.iter().filter(|key| !listed(key)).collect();
    assert!(missing.is_empty(), "bench/README.md lacks {missing:?}");
    let (_, table) = readme.split_once("## JSON lines").expect("the schema");
    for row in table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')) {
        let stem = row.0.trim_end_matches('*');
        assert!(keys.iter().any(|key| key.starts_with(stem)), "no line has {}", row.0);
    }
    for counter in Counter::ALL {
        assert!(
            readme.contains(&format!("`{}`", counter.name())),
            "bench/README.md lacks {}",
            counter.name()
        );
    }
}
