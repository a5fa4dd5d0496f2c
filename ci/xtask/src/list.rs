//! What there is to run, as the kernel itself says.

use anyhow::Result;
use runner::Event;
use runner::screen::{Look, wrap};

use crate::cli::{Choice, Machine};
use crate::collect::Collected;
use crate::say;
use crate::{Status, guest};

/// Prints name and sentence of each that is chosen.
pub fn list(parts: &str, choice: &Choice, machine: &Machine) -> Result<Status> {
    let offers = match offers(parts, choice.filter.as_deref(), machine)? {
        Ok(offers) => offers,
        Err(status) => return Ok(status),
    };
    if offers.is_empty() {
        return nothing(parts, choice, machine);
    }
    let width = Look::of(&std::io::stdout()).width;
    let longest = offers.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, doc) in &offers {
        say!("{}", wrap(&format!("{name:<longest$} {doc}"), width, longest + 1));
    }
    Ok(Status::Passed)
}

/// Name and sentence of each whose name holds `filter`; or how it failed, which has been said.
fn offers(
    parts: &str,
    filter: Option<&str>,
    machine: &Machine,
) -> Result<Result<Vec<(String, String)>, Status>> {
    let mut words = vec![format!("run={parts}"), "list".to_owned()];
    words.extend(filter.map(|filter| format!("filter={filter}")));
    let request = guest::request(machine, 1, words)?;
    let mut collected = Collected::new(guest::key(&request, machine)?, Vec::new());
    let mut sink = |event: Event<'_>| collected.event(&event);
    match runner::run(&request, &mut sink) {
        Ok(report) => {
            let status = Status::of(&report.outcome);
            if status == Status::Passed {
                return Ok(Ok(collected.offers));
            }
            for line in runner::explain::lines(&report, &request, None) {
                eprintln!("{line}");
            }
            Ok(Err(status))
        }
        Err(refusal) => {
            eprintln!("x: {refusal}");
            Ok(Err(Status::from_code(refusal.status())))
        }
    }
}

/// A run that ran nothing: says so, and what there is.
pub fn nothing(parts: &str, choice: &Choice, machine: &Machine) -> Result<Status> {
    match &choice.filter {
        Some(filter) => eprintln!("x: nothing is called '{filter}'; there are:"),
        None => eprintln!("x: nothing was run; there are:"),
    }
    let names = match offers(parts, None, machine)? {
        Ok(offers) => offers.into_iter().map(|(name, _)| name).collect::<Vec<_>>(),
        Err(status) => return Ok(status),
    };
    let width = Look::of(&std::io::stderr()).width;
    eprintln!("  {}", wrap(&names.join(" "), width.saturating_sub(2), 2));
    Ok(Status::Usage)
}
