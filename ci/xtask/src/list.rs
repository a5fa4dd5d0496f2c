//! What there is to run, as the kernel itself says.

use anyhow::Result;
use runner::Event;
use runner::screen::{Look, wrap};

use crate::cli::{Choice, Machine};
use crate::collect::{Collected, Offer};
use crate::say;
use crate::{Status, guest};

/// Prints name and sentence of each that is chosen.
pub fn list(parts: &str, choice: &Choice, machine: &Machine) -> Result<Status> {
    let words = vec![format!("run={parts}")];
    let offers = match offers(words, choice.filter.as_deref(), machine)? {
        Ok(offers) => offers,
        Err(status) => return Ok(status),
    };
    if offers.is_empty() {
        return nothing(parts, choice, machine);
    }
    let width = Look::of(&std::io::stdout()).width;
    let longest = offers.iter().map(|offer| offer.name.len()).max().unwrap_or(0);
    for Offer { name, doc, .. } in &offers {
        say!("{}", wrap(&format!("{name:<longest$} {doc}"), width, longest + 1));
    }
    Ok(Status::Passed)
}

/// Each that these words ask for whose name holds `filter`; or how it failed, which has been said.
pub fn offers(
    mut words: guest::Words,
    filter: Option<&str>,
    machine: &Machine,
) -> Result<Result<Vec<Offer>, Status>> {
    words.push("list".to_owned());
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
                crate::complain!("{line}");
            }
            Ok(Err(status))
        }
        Err(refusal) => {
            crate::complain!("x: {refusal}");
            Ok(Err(Status::from_code(refusal.status())))
        }
    }
}

/// A run that ran nothing: says so, and what there is.
pub fn nothing(parts: &str, choice: &Choice, machine: &Machine) -> Result<Status> {
    match &choice.filter {
        Some(filter) => crate::complain!("x: nothing is called '{filter}'; there are:"),
        None => crate::complain!("x: nothing was run; there are:"),
    }
    let names = match offers(vec![format!("run={parts}")], None, machine)? {
        Ok(offers) => offers.into_iter().map(|offer| offer.name).collect::<Vec<_>>(),
        Err(status) => return Ok(status),
    };
    let width = Look::of(&std::io::stderr()).width;
    crate::complain!("  {}", wrap(&names.join(" "), width.saturating_sub(2), 2));
    Ok(Status::Usage)
}
