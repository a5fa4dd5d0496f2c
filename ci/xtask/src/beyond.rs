//! What `./x run` shows besides a boot of the usual machine, if all was asked for and in no other way than usual: messages to many
//! CPUs at once, which it has not, and what the run queues make of workloads.

use std::path::Path;

use runner::Mode;

use crate::cli::{Baseline, Choice, Machine};
use crate::run::Run;

/// CPUs of the larger machine, and the benchmarks that are for it.
const MANY: u32 = 64;
const OF_MANY: &str = "ipi/sync_";

/// Whether nobody asked for less, or for something else. Another QEMU, kind of APIC, seed or number of CPUs is neither.
pub fn is_wanted(run: &Run<'_>) -> bool {
    let machine = run.machine;
    let as_it_comes = machine.mode == Mode::Insns
        && machine.smp < MANY
        && machine.image.is_none()
        && machine.plant.is_none()
        && machine.faults.is_none()
        && machine.idle.is_none()
        && machine.set.is_empty()
        && machine.extra.is_empty();
    let all = run.parts == "bench,stress" && run.choice.filter.is_none() && !run.output.quick;
    let compares = run.rows.why || run.baseline.is_some_and(Baseline::is_asked);
    let to_stdout = run.output.json.as_deref() == Some(Path::new("-"));
    all && as_it_comes && !compares && !to_stdout
}

/// The larger machine, and what runs there.
pub fn many(machine: &Machine) -> (Machine, Choice) {
    let choice = Choice { filter: Some(OF_MANY.to_owned()), list: false };
    (Machine { smp: MANY, ..machine.clone() }, choice)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::cli::{Verb, parse_from};

    fn is_wanted_of(line: &str) -> bool {
        let words = line.split_whitespace().map(OsString::from);
        match parse_from(words).expect("it makes sense") {
            Verb::Run(args) => is_wanted(&args.as_run("bench,stress")),
            Verb::Bench(args) => is_wanted(&args.run.as_run("bench")),
            verb => panic!("{verb:?} is not for here"),
        }
    }

    #[test]
    fn who_asks_for_all_gets_more() {
        for line in
            ["./x run", "./x run --smp 16 --seed 7 --xapic", "./x run --json target/x.jsonl"]
        {
            assert!(is_wanted_of(line), "{line}");
        }
    }

    #[test]
    fn who_asks_for_something_gets_that() {
        let of_run = ["--baseline", "--bless why", "--why", "--quick", "switch", "--json -"];
        let of_machine = ["--smp 64", "--mode tcg", "--idle spin", "--set runq=list", "-- -d int"];
        for words in of_run.into_iter().chain(of_machine) {
            assert!(!is_wanted_of(&format!("./x run {words}")), "{words}");
        }
        assert!(!is_wanted_of("./x bench"));
    }
}
