use super::*;

fn parsed(line: &str) -> Result<Verb, (String, Status)> {
    parse_from(["./x"].into_iter().chain(line.split_whitespace()).map(OsString::from))
}

/// The one line that a wrong command line gets.
fn refused(line: &str) -> String {
    let (text, status) = parsed(line).expect_err("it makes no sense");
    assert_eq!(status, Status::Usage, "{text}");
    assert!(!text.contains('\n'), "one line: {text}");
    assert!(text.starts_with("x: "), "{text}");
    text
}

#[test]
fn the_definition_is_consistent() {
    use clap::CommandFactory;
    Cli::command().debug_assert();
}

#[test]
fn cpu_counts_out_of_range_say_the_range() {
    assert!(refused("run --smp 0").contains("0 is not in 1..=1024"));
    assert!(refused("run --smp 100000").contains("100000 is not in 1..=1024"));
    assert!(refused("run --smp many").contains("--smp"));
}

#[test]
fn unknown_flags_get_a_hint() {
    let line = refused("run --sm 4");
    assert!(line.contains("'--sm'") && line.contains("'--smp'"), "{line}");
    assert!(refused("bnech").contains("bench"));
    assert!(refused("").contains("doctor"));
}

#[test]
fn modes_are_named() {
    let line = refused("run --mode fast");
    for mode in ["insns", "tcg", "kvm"] {
        assert!(line.contains(mode), "{line}");
    }
}

#[test]
fn seeds_and_shards() {
    let Ok(Verb::Stress(args)) = parsed("stress --seeds 1..100 --shard 2/4") else {
        panic!("it is right")
    };
    assert_eq!(args.seeds, Some(1..=100));
    let shard = args.shard.expect("it was given");
    assert_eq!((1..=100).filter(|seed| shard.holds(*seed)).count(), 25);
    refused("stress --seeds 5..1");
    refused("stress --seeds 5");
    refused("stress --shard 1/4");
    refused("stress --seeds 1..4 --shard 0/4");
    refused("stress --seeds 1..4 --shard 5/4");
    refused("stress --seeds 1..4 --seed 3");
    refused("stress --seeds 1..4 --shard 1/1001");
}

#[test]
fn a_filter_is_parts_of_names() {
    assert!(parsed("bench kernel/switch,user/").is_ok());
    let long = format!("bench {}", "x".repeat(401));
    for wrong in ["bench *", "stress a=b", "run ä", long.as_str()] {
        assert!(refused(wrong).contains("FILTER"), "{wrong}");
    }
    let words = ["x", "bench", "switch mode=tcg"].map(OsString::from);
    assert!(parse_from(words).is_err(), "more than one word for the kernel");
    assert!(parse_from(["x", "bench", ""].map(OsString::from)).is_err());
}

#[test]
fn every_seed_is_in_one_shard() {
    for seed in 0..50 {
        let holders = (1..=7).filter(|&index| Shard { index, of: 7 }.holds(seed)).count();
        assert_eq!(holders, 1);
    }
}

#[test]
fn an_image_must_exist() {
    assert!(refused("run --image /no/such/kernel").contains("No such file"));
    assert!(refused("run --image /").contains("not a file"));
}

#[test]
fn what_follows_two_dashes_is_for_qemu() {
    let Ok(Verb::Boot(args)) = parsed("boot --smp 2 -- -d int") else { panic!("it is right") };
    assert_eq!((args.machine.smp, args.machine.extra), (2, vec!["-d".into(), "int".into()]));
}

#[test]
fn help_teaches_and_passes() {
    let (text, status) = parsed("--help").expect_err("clap calls help an error");
    assert_eq!(status, Status::Passed);
    for word in ["Examples:", "Exit status:", "run", "doctor", "--no-install"] {
        assert!(text.contains(word), "{word} in {text}");
    }
}

#[test]
fn a_baseline_is_renewed_with_a_reason() {
    let blessed =
        |reason: &str| parse_from(["./x", "bench", "--bless", reason].map(OsString::from));
    for reason in ["", "  "] {
        let (text, status) = blessed(reason).expect_err("no reason");
        assert_eq!(status, Status::Usage);
        assert!(text.contains("say why"), "{text}");
    }
    let Ok(Verb::Bench(args)) = blessed(" because ") else { panic!("it is right") };
    assert_eq!(args.run.baseline.bless.as_deref(), Some("because"));
    refused("bench --baseline --bless because");
}

#[test]
fn a_simulation_needs_a_workload() {
    let Ok(Verb::Sim(args)) = parsed("sim web --cpus 1024 --set runq=fair --seed 3") else {
        panic!("it is right")
    };
    assert_eq!((args.cpus, args.seed.seed, args.set.len()), (Some(1024), 3, 1));
    assert!(matches!(parsed("sim --list"), Ok(Verb::Sim(args)) if args.list));
    assert!(refused("sim").contains("WORKLOAD"));
    assert!(matches!(parsed("sim web --kernel --jobs 7"), Ok(Verb::Sim(args)) if args.kernel));
    assert!(refused("sim web --kernel --json -").contains("--kernel"));
    assert!(refused("sim web --jobs 0").contains("1.."));
    assert!(refused("sim web --cpus 1025").contains("1..=1024"));
    assert!(refused("sim web --set runq=none").contains("there are runq="));
    assert!(refused("sim web --costs /no/such/file").contains("No such file"));
}

#[test]
fn the_hosted_comparison_has_no_machine_and_no_baseline() {
    let Ok(Verb::Bench(args)) = parsed("bench --hosted ring --quick --json -") else {
        panic!("it is right")
    };
    assert!(args.hosted && args.run.output.quick);
    for more in ["--smp 2", "--mode tcg", "--seed 2", "--why", "--baseline", "-- -d int"] {
        let line = refused(&format!("bench --hosted {more}"));
        assert!(line.contains("--hosted"), "{line}");
    }
}

#[test]
fn counts_of_cpus_are_a_list_or_the_usual_ones() {
    let full = |line: &str| match parsed(line) {
        Ok(Verb::Bench(args)) => args.full,
        other => panic!("{line}: {other:?}"),
    };
    assert!(full("bench").is_empty());
    assert_eq!(full("bench --full"), [1, 2, 4, 8, 16, 32, 64, 128, 255]);
    assert_eq!(full("bench scale --full=4,64"), [4, 64]);
    assert!(refused("bench --full=4,256").contains("256 is not in 1..=255"));
    for other in ["--smp 4", "--why", "--baseline", "--list", "--hosted"] {
        assert!(
            refused(&format!("bench --full {other}")).contains("cannot be used with"),
            "{other}"
        );
    }
}
