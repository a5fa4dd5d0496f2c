//! What there is to run, as the kernel itself says.

use anyhow::Result;
use runner::Event;

use crate::cli::{Choice, Machine};
use crate::collect::Collected;
use crate::{Status, guest};

/// Prints name and sentence of each.
pub fn list(parts: &str, machine: &Machine) -> Result<Status> {
    let request = guest::request(machine, 1, vec![format!("run={parts}"), "list".to_owned()])?;
    let mut collected = Collected::new(guest::key(&request, machine)?, Vec::new());
    let mut sink = |event: Event<'_>| collected.event(&event);
    match runner::run(&request, &mut sink) {
        Ok(report) => {
            if collected.offers.is_empty() {
                println!("nothing: this kernel has none");
            }
            for (name, doc) in &collected.offers {
                println!("{name:<24} {doc}");
            }
            let status = Status::of(&report.outcome);
            if status != Status::Passed {
                for line in runner::explain::lines(&report, &request, None) {
                    eprintln!("{line}");
                }
            }
            Ok(status)
        }
        Err(refusal) => {
            eprintln!("x: {refusal}");
            Ok(Status::from_code(refusal.status()))
        }
    }
}

/// A run that ran nothing: says so, and what there is.
pub fn nothing(parts: &str, choice: &Choice, machine: &Machine) -> Result<Status> {
    match &choice.filter {
        Some(filter) => eprintln!("x: nothing is called '{filter}'; there are:"),
        None => eprintln!("x: nothing was run; there are:"),
    }
    list(parts, machine)?;
    Ok(Status::Usage)
}
