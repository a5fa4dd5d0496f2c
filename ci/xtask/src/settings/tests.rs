use super::{Axis, Most, combinations, names_of, refusal};
use crate::cli::{Machine, Verb, parse_from};

fn machine(words: &str) -> Machine {
    let line = format!("./x bench {words}");
    match parse_from(line.split(' ').map(Into::into)) {
        Ok(Verb::Bench(args)) => args.run.machine,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_unknown_lists_what_there_is() {
    for text in
        ["", "runq", "runq=", "runq=bitmap,", "runq=bitmaps", "queue=list", "runq=list,,fair"]
    {
        let said = Axis::parse(text).expect_err(text);
        let runq = lwkt_sched::queue::NAMES.join("|");
        assert!(said.starts_with(&format!("there are runq={runq} ipi=elide")), "{said}");
        assert!(said.ends_with(" trace=off|on checks=off|on faults=off|on"), "{said}");
    }
    assert!(Axis::parse("runq=list,fair,list").is_err());
}

#[test]
fn each_value_is_a_combination() {
    let names = |words: &str| -> Vec<String> {
        combinations(&machine(words)).into_iter().map(|(name, _)| name).collect()
    };
    assert_eq!(names("x"), [""]);
    assert_eq!(names("--set runq=list"), ["runq=list"]);
    assert_eq!(names("--set runq=fair,bitmap,list"), ["runq=fair", "runq=bitmap", "runq=list"]);
    assert_eq!(
        names("--set runq=fair,list --set ipi=elide,eager"),
        [
            "runq=fair ipi=elide",
            "runq=fair ipi=eager",
            "runq=list ipi=elide",
            "runq=list ipi=eager"
        ]
    );
}

#[test]
fn a_verb_of_some_keys_takes_their_values_and_no_others() {
    let of = |words: &str, key| names_of(&machine(words).set, key);
    assert_eq!(of("x", "runq"), None);
    assert_eq!(of("--set ipi=eager --set runq=fair,list", "runq"), Some(vec!["fair", "list"]));
    assert!(Axis::parse_simulated("runq=fair").is_ok());
    for other in ["free=cas", "queue=list", "runq=lists"] {
        let said = Axis::parse_simulated(other).expect_err(other);
        assert!(said.contains("; to what is simulated nothing else"), "{said}");
        assert!(!said.contains("free="), "{said}");
    }
}

#[test]
fn the_usual_is_built_as_if_nobody_had_asked() {
    let built = |words: &str| -> Vec<String> {
        machine(words).variants().iter().map(ToString::to_string).collect()
    };
    assert_eq!(built("--set runq=bitmap"), [""; 0]);
    assert_eq!(built("--set runq=list"), ["runq=list"]);
}

#[test]
fn what_makes_no_sense_together_is_refused() {
    let refused = |words: &str, most| refusal(&machine(words), most).is_some();
    assert!(!refused("--set runq=list,fair", Most::Any));
    assert!(refused("--set runq=list,fair", Most::One));
    assert!(!refused("--set runq=list", Most::One));
    assert!(refused("--set runq=list --set runq=fair", Most::Any));
    assert!(refused("--faults wake", Most::Any));
    assert!(refused("--faults wake --set faults=off,on", Most::Any));
    assert!(!refused("--faults wake --set faults=on", Most::Any));
    assert!(refused("--set runq=list --image /dev/../proc/self/exe", Most::Any));
}
