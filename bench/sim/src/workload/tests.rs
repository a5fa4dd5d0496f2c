use super::*;

const GOOD: &str = r#"
about = "Clients and a server."
duration = "10ms"

[group.client]
count = 4
arrivals = { poisson = "1.5ms" }
service = { bimodal = { short = "10us", long = "1ms", share = 0.25 } }
send = { to = "server", window = 3, choose = "any" }

[group.server]
per_cpu = 2
priority = 12
on = [0, 1]
service = { fixed = "500ns" }
"#;

#[test]
fn a_file_means_what_it_says() {
    let read = parse("mine", GOOD).expect("it is right");
    assert_eq!(
        (read.name.as_str(), read.duration, read.may_be_pulled(&read.groups[0])),
        ("mine", 10_000_000, false)
    );
    let [client, server] = &read.groups[..] else { panic!("{read:?}") };
    assert_eq!(client.source, Source::Arrivals(Time::Exponential(1_500_000)));
    assert_eq!(
        client.service,
        Time::Bimodal { short: 10_000, long: 1_000_000, share: Share(1 << 30) }
    );
    assert_eq!(client.send, Some(Send { to: 1, window: 3, choose: Choose::Any }));
    assert_eq!((client.priority, client.threads(8), client.cpu_of(9, 8)), (10, 4, 1));
    assert_eq!(server.source, Source::Requests);
    assert_eq!((server.priority, server.threads(8), server.cpu_of(3, 8)), (12, 16, 1));
    assert!(read.fits(2).is_ok());
    assert_eq!(read.fits(1), Err("mine: group.server.on: no CPU 1 of 1".to_owned()));
}

/// What is said when `old` stands there as `new`.
fn said(old: &str, new: &str) -> String {
    assert!(GOOD.contains(old), "{old}");
    let said = parse("mine", &GOOD.replacen(old, new, 1)).expect_err(new);
    assert!(!said.contains('\n') && said.starts_with(':'), "{said}");
    said
}

#[test]
fn what_makes_no_sense_is_said_in_a_line() {
    let cases = [
        ("\"10ms\"", "\"10ms\"\njobs = 0", ": jobs: 1 at least"),
        ("count = 4", "cuont = 4", ":6: unknown field `cuont`"),
        ("count = 4", "count = 0", ": group.client.count: 1 at least"),
        ("count = 4", "", ": group.client.count: how many"),
        ("count = 4", "count = 4\nper_cpu = 1", ": group.client.count: count and per_cpu"),
        ("count = 4", "count = -4", ":6: "),
        ("per_cpu = 2", "per_cpu = 0", ": group.server.per_cpu: 1 at least"),
        ("priority = 12", "priority = 32", ": group.server.priority: 1 to 31"),
        ("priority = 12", "priority = 0", ": group.server.priority: 1 to 31"),
        ("on = [0, 1]", "on = []", ": group.server.on: no CPU at all"),
        ("on = [0, 1]", "on = \"spred\"", ":14: \"spread\" or a list"),
        ("\"10ms\"", "\"10 ms\"", ":3: '10 ms' is no time"),
        ("\"10ms\"", "\"0ns\"", ":3: '0ns' is not from 1ns"),
        ("\"10ms\"", "\"2h\"", ":3: '2h' is no time"),
        ("\"10ms\"", "10", ":3: "),
        ("fixed", "fixd", ":15: unknown variant `fixd`"),
        ("service = { fixed = \"500ns\" }", "", ":11: missing field `service`"),
        ("0.25", "1.25", ": group.client.service: share is from 0 to 1"),
        ("\"server\"", "\"srever\"", ": group.client.send.to: no group is called 'srever'"),
        ("\"server\"", "\"client\"", ": group.client.arrivals: its jobs are the requests"),
        ("window = 3", "window = 0", ": group.client.send.window: 1 to 10000"),
        ("priority = 12", "arrivals = { every = \"1ms\" }", ": group.server.arrivals: its jobs"),
        ("priority = 12", "barrier = true", ": group.server.barrier: a thread without"),
        (
            "priority = 12",
            "send = { to = \"server\" }",
            ": group.server.send.to: its requests lead",
        ),
        ("count = 4", "count = 4\nsleep = { fixed = \"1ms\" }", ": group.client.sleep: it sleeps"),
        ("count = 4", "count = 4\ngo = 0.5", ": group.client.go: who goes"),
        ("count = 4", "count = 4\ngo = -0.5", ": group.client.go: share is from 0 to 1"),
        ("priority = 12", "go = 0.5", ": group.server.go: who goes"),
        ("[group.server]", "[group.server", ":11: "),
        ("about = \"Clients and a server.\"", "", "missing field `about`"),
    ];
    for (old, new, expected) in cases {
        let said = said(old, new);
        assert!(said.contains(expected), "{new}: {said}");
    }
    assert_eq!(
        parse("mine", "about = \"\"\nduration = \"1s\"\n[group]").unwrap_err(),
        ": group: there is none"
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let said = read(Path::new("/nowhere/mine.toml")).unwrap_err();
    assert!(said.starts_with("/nowhere/mine.toml: "), "{said}");
}
