use super::*;
use crate::Wakes;

fn report() -> Report {
    let group = Group {
        name: "one".to_owned(),
        threads: 2,
        came: 1000,
        done: 1000,
        in_flight: 0,
        wakes: Wakes { count: 1000, p50: 5, p99: 6, p999: 7, max: 8 },
        service: 5000,
        jain: 0.5,
        cpu_time: 5000,
    };
    let (switches, messages, ipis_sent) = (10_000, 600, 600);
    Report {
        duration: 9000,
        groups: vec![group],
        switches,
        messages,
        ipis_sent,
        ..Report::default()
    }
}

/// What a kernel says that has counted the same.
fn lines() -> String {
    let group = r#"{"kind":"played_group","group":"one","count_threads":2,"count_came":1000,
        "count_done":1000,"count_in_flight":0,"count_service":5000,"count_cpu_time":5000,
        "count_jain_ppm":500000,"count_wakes":1000,"count_wake_to_run_p50":9000}"#;
    let all = r#"{"kind":"played","workload":"w","ok":true,"cpus":4,"seed":3,"count_migrations":0,"count_ring_messages":600,
        "count_duration":9000,"count_switches":10000,"count_waits":0,"count_rests":0,"count_ticks":0,
        "count_ipi_sent":600,"count_ipi_avoided":0,"count_ring_full":0}"#;
    [group, all].map(|line| line.replace('\n', "") + "\n").concat()
}

fn workload(pull: &str) -> Workload {
    let text = format!(
        "about = \"\"\nduration = \"1s\"\n[group.one]\ncount = 2\nservice = {{ fixed = \"1ns\" }}\n{pull}"
    );
    crate::workload::parse("w", &text).expect("a good workload")
}

/// The counters that are too far apart when a kernel says `new` instead of `old`.
fn too_far(old: &str, new: &str) -> Vec<&'static str> {
    assert!(lines().contains(old), "{old}");
    let played = Played::parse(&lines().replacen(old, new, 1)).expect("records");
    assert_eq!((played.cpus, played.seed, &*played.workload), (4, 3, "w"));
    let rows = rows(&workload(""), &report(), &played);
    let text = table(&rows);
    let wrong: Vec<_> =
        rows.iter().filter(|row| row.held() == Held::Apart).map(|row| row.name).collect();
    assert_eq!(text.matches("TOO FAR").count(), wrong.len(), "{text}");
    assert!(text.ends_with(&format!(" {} too far apart\n", wrong.len())), "{text}");
    assert_eq!(rows.len(), 24);
    assert!(text.contains("listed: wake to run") && text.contains("listed: the kernel does not"));
    wrong
}

#[test]
fn equals_hold() {
    assert!(too_far("\"seed\":3", "\"seed\":3").is_empty());
}

#[test]
fn an_exact_one_may_not_differ_by_one() {
    for name in ["threads", "came", "done", "in_flight", "service", "migrations", "ring_messages"] {
        let old = lines();
        let at = old.find(&format!("\"count_{name}\":")).expect(name);
        let field = old[at..].split([',', '}']).next().expect("its end");
        let (key, value) = field.rsplit_once(':').expect("a field");
        let more = value.parse::<u64>().expect("a number") + 1;
        assert_eq!(too_far(field, &format!("{key}:{more}")), [name]);
    }
}

#[test]
fn others_may_by_two_in_a_hundred() {
    assert_eq!(too_far("switches\":10000", "switches\":9800"), Vec::<&str>::new());
    assert_eq!(too_far("switches\":10000", "switches\":9799"), ["switches"]);
    assert_eq!(too_far("switches\":10000", "switches\":10205"), ["switches"]);
    assert_eq!(too_far("jain_ppm\":500000", "jain_ppm\":480000"), ["jain_ppm"]);
}

#[test]
fn few_may_by_twice_their_root_and_a_part_by_two_in_a_hundred_of_all() {
    assert_eq!(too_far("wakes\":1000", "wakes\":937"), Vec::<&str>::new());
    assert_eq!(too_far("wakes\":1000", "wakes\":936"), ["wakes"]);
    assert_eq!(too_far("ticks\":0", "ticks\":4"), Vec::<&str>::new());
    assert_eq!(too_far("ticks\":0", "ticks\":5"), ["ticks"]);
    assert_eq!(too_far("avoided\":0", "avoided\":12"), Vec::<&str>::new());
    assert_eq!(too_far("avoided\":0", "avoided\":13"), ["ipi_avoided"]);
}

#[test]
fn what_a_kernel_does_not_say_is_too_far() {
    assert_eq!(too_far("\"count_wakes\":1000,", ""), ["wakes"]);
    let none = Played::parse(lines().lines().nth(1).expect("two")).expect("a record");
    assert_eq!(
        rows(&workload(""), &report(), &none)
            .iter()
            .filter(|row| row.held() == Held::Apart)
            .count(),
        8
    );
}

#[test]
fn a_play_that_did_not_end_is_none() {
    let failed = lines().replace("\"ok\":true", "\"ok\":false,\"message\":\"not all was done\"");
    assert_eq!(Played::parse(&failed), Err("not all was done".to_owned()));
    assert_eq!(Played::parse(""), Err("no workload was played to its end".to_owned()));
    assert!(Played::parse("work").expect_err("no JSON").starts_with("no record: "));
    assert!(Played::read(Path::new("/nowhere")).expect_err("no file").starts_with("/nowhere: "));
}

/// Who waits when somebody asks depends on who came first.
#[test]
fn what_is_pulled_is_near_and_no_more() {
    let moved = lines().replace("migrations\":0", "migrations\":100");
    let (played, report) = (Played::parse(&moved).expect("good"), report());
    let held = |pull, migrations| {
        let report = Report { migrations, ..report.clone() };
        let rows = rows(&workload(pull), &report, &played);
        rows.iter().find(|row| row.name == "migrations").map(Row::held)
    };
    assert_eq!([held("", 99), held("", 100)], [Some(Held::Apart), Some(Held::Near)]);
    let pulled = [99, 90, 70].map(|migrations| held("pull = true", migrations));
    assert_eq!(pulled, [Some(Held::Near), Some(Held::Few), Some(Held::Apart)]);
}
