use std::ffi::OsString;

use super::line;
use crate::cli::{Verb, parse_from};

/// The line for what was typed.
fn again(typed: &[&str]) -> String {
    let words = ["./x", "stress"].iter().chain(typed).map(OsString::from);
    let Ok(Verb::Stress(args)) = parse_from(words) else { panic!("it is right: {typed:?}") };
    line("stress", &args.choice, &args.machine, args.output.quick, args.seed.seed)
}

#[test]
fn what_is_usual_goes_without_saying() {
    assert_eq!(again(&[]), "./x stress --seed 1");
    assert_eq!(again(&["storm", "--smp", "4", "--mode", "insns"]), "./x stress storm --seed 1");
}

#[test]
fn all_that_changes_a_run_is_said() {
    let typed = [
        "kernel/storm,wakes",
        "--smp",
        "8",
        "--mode",
        "tcg",
        "--xapic",
        "--qemu",
        "/a b/qemu",
        "--plant",
        "lost-wake",
        "--faults",
        "ring,wake",
        "--idle",
        "mwait",
        "--quick",
        "--seed",
        "7",
        "--",
        "-d",
        "int,cpu reset",
    ];
    assert_eq!(
        again(&typed),
        "./x stress kernel/storm,wakes --smp 8 --mode tcg --xapic --qemu '/a b/qemu' --plant lost-wake --faults ring,wake --idle mwait --quick \
         --seed 7 -- -d 'int,cpu reset'"
    );
    assert_eq!(again(&["--image", "Cargo.toml"]), "./x stress --image Cargo.toml --seed 1");
}

#[test]
fn a_trace_is_done_again_as_a_trace() {
    let words = ["./x", "stress", "storm", "--set", "runq=list", "--set", "trace=on"];
    let Ok(Verb::Stress(args)) = parse_from(words.map(OsString::from)) else { panic!("right") };
    let again = |verb| line(verb, &args.choice, &args.machine, false, 1);
    assert_eq!(again("trace"), "./x trace storm --set runq=list --seed 1");
    assert_eq!(again("stress"), "./x stress storm --set runq=list --set trace=on --seed 1");
}
