use super::*;

#[test]
fn the_tree_s_goals_are_sound() {
    let goals = Goals::builtin();
    assert!(goals.iter().count() >= 12);
    for goal in goals.iter() {
        assert!(goal.stretch.is_none_or(|stretch| stretch < goal.must), "{}", goal.id);
        let best = goal.stretch.unwrap_or(goal.must);
        assert!(goal.limit.is_none_or(|limit| limit <= best), "{}", goal.id);
        // Nobody publishes it.
        let is_alone = goal.id == "G24";
        assert_eq!(goal.opponents.is_empty(), is_alone, "{}", goal.id);
        let name = goal.opponents.first().map_or("", |best| &best.name);
        assert!(name.chars().count() <= 16, "{}: wider than its column", goal.id);
        for opponent in &goal.opponents {
            assert!(
                !opponent.source.is_empty() && !opponent.version.is_empty(),
                "{}",
                opponent.name
            );
        }
        let figures = goal.opponents.iter().map(|opponent| opponent.figure);
        assert!(figures.is_sorted(), "{}: the best opponent comes first", goal.id);
    }
}

#[test]
fn the_musts_of_the_first_release_are_there() {
    let goals = Goals::builtin();
    let must = |id: &str| goals.iter().find(|goal| goal.id == id).map(|goal| goal.must);
    let expected = [
        ("G1", 12),
        ("G2", 40),
        ("G3", 60),
        ("G4", 110),
        ("G5", 56),
        ("G6", 96),
        ("G7", 12),
        ("G11", 30),
        ("G13", 600),
        ("G14", 250),
        ("G15", 32),
        ("G16", 100),
        ("G24", 500),
        ("G24b", 300),
    ];
    for (id, figure) in expected {
        assert_eq!(must(id), Some(figure), "{id}");
    }
}

#[test]
fn a_goal_twice_or_an_unknown_key_is_an_error() {
    let goal = "[[goal]]\nid='G1'\nbench='a/b'\nwhat=''\nunit='insns'\nmust=1\n";
    assert!(Goals::parse(goal).is_ok());
    assert!(Goals::parse(&goal.repeat(2)).is_err_and(|error| error.contains("collide")));
    assert!(
        Goals::parse(&(goal.to_owned() + "mustt=1\n")).is_err_and(|error| error.contains("mustt"))
    );
}

#[test]
fn a_damaged_file_is_one_line_with_its_number() {
    let text = include_str!("../../../goals.toml");
    let of = |needle: &str| text.lines().position(|line| line == needle).expect("it is there") + 1;
    let (last, must) = (text.lines().count(), of("must = 12"));
    let damaged = [
        (String::new(), 1, "missing field `goal`"),
        (text.replacen("must = 12", "must = \"abc\"", 1), must, "expected u64"),
        (text.replacen("must = 12", "must = -12", 1), must, "-12"),
        (text.replacen("must = 12", "must = 1e999", 1), must, ""),
        (text.replacen("must = 12\n", "", 1), of("[[goal]]"), "missing field `must`"),
        (text.replacen("figure = 13.5", "figure = nan", 1), of("[[goal]]"), "above 0"),
        (text.replacen("must = 0.8", "must = -inf", 1), of("[[ratio]]"), "above 0"),
        (text.replacen("stat = \"max\"", "stat = \"mean\"", 1), of("stat = \"max\""), "`mean`"),
        (format!("{text}stat = 1"), last + 1, "unknown field `stat`"),
        (format!("{text}[[goal"), last + 1, "]]"),
        (format!("{text}\u{fffd}\0\r"), last + 1, ""),
        (
            text.replacen("peer = \"ArrayQueue\"", "peer = \"rtrb\"", 1),
            of("[[ratio]]") + 5,
            "is twice",
        ),
    ];
    for (text, line, what) in damaged {
        let error = Goals::parse(&text).expect_err(what);
        assert!(!error.contains('\n') && error.contains(what), "{what}: {error}");
        let at = format!("bench/goals.toml:{line}: ");
        assert!(error.starts_with(&at), "{at}: {error}");
    }
}

#[test]
fn a_goal_beyond_all_counts_is_met() {
    let goal = "[[goal]]\nid='G1'\nbench='a/b'\nwhat=''\nunit='insns'\nmust=9223372036854775807\n";
    let goals = Goals::parse(goal).expect("sound");
    let mut result = crate::json::tests::result("a/b", &[5]);
    result.ops = 1000;
    assert_eq!(goals.count(&[result]), (1, 0));
}

#[test]
fn a_goal_is_met_per_operation_and_only_in_its_unit() {
    let goals = Goals::builtin();
    let goal = goals.of("kernel/switch").expect("G3");
    let mut result = crate::json::tests::result("kernel/switch", &[120, 121]);
    result.ops = 2;
    assert_eq!(goal.met(&result), Some(true));
    result.summary.min = 121;
    assert_eq!(goal.met(&result), Some(false));
    result.unit = "cycles".into();
    assert_eq!(goal.met(&result), None);
    assert_eq!(goals.count(&[result]), (0, 0));
}

#[test]
fn the_statistic_is_that_of_the_goal_or_of_the_unit() {
    let goals = Goals::builtin();
    let of = |name: &str, unit: &str| {
        let mut result = crate::json::tests::result(name, &[1]);
        result.unit = unit.into();
        goals.stat(&result)
    };
    assert_eq!(of("ipi/doorbells", "doorbells"), Stat::Max);
    assert_eq!(of("kernel/switch", "insns"), Stat::Min);
    assert_eq!(of("kernel/other", "insns"), Stat::Min);
    assert_eq!(of("ipi/doorbells_singly", "doorbells"), Stat::Median);
}
