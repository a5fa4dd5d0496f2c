//! Figures held against the accepted ones, and accepted: `--baseline` and `--bless`.

use bench_report::baseline::{Store, StoreError};
use bench_report::table::{self, Style};
use bench_report::{Comparison, Fleeting, Goals, Scope};
use runner::screen::Screen;

use crate::cli::{Baseline, Choice, Machine, Output};
use crate::collect::Collected;
use crate::{Status, place};

/// Where the accepted figures are.
pub fn store() -> Store {
    Store::new(place::shown(&place::root().join("bench/baselines")))
}

/// What makes no sense to ask of a run with this command line.
pub fn refusal(asked: &Baseline, machine: &Machine, output: &Output) -> Option<String> {
    if asked.bless.is_some() && machine.image.is_some() {
        let why =
            "--bless accepts figures of this checkout, and nobody knows of which source --image is";
        return Some(why.to_owned());
    }
    let fleeting = Fleeting::of(machine.mode.name(), output.quick).filter(|_| asked.is_asked())?;
    Some(fleeting.to_string())
}

/// Whether all benchmarks were asked for.
pub fn scope(choice: &Choice) -> Scope {
    if choice.filter.is_some() { Scope::Chosen } else { Scope::All }
}

/// Says how the figures stand to the accepted ones, or accepts them; how the run ends that had ended with `status`.
pub fn hold(
    asked: &Baseline,
    scope: Scope,
    collected: &Collected,
    status: Status,
    drawn: (&mut Screen<'_>, Style),
) -> Status {
    hold_in(&store(), asked, scope, collected, status, drawn)
}

fn hold_in(
    store: &Store,
    asked: &Baseline,
    scope: Scope,
    collected: &Collected,
    status: Status,
    (screen, style): (&mut Screen<'_>, Style),
) -> Status {
    if collected.benches.is_empty()
        || Fleeting::of(&collected.key.mode, collected.key.is_quick()).is_some()
    {
        return status;
    }
    if status != Status::Passed {
        if asked.is_asked() {
            let what = if asked.baseline { "compared" } else { "blessed" };
            screen.line(&format!("baseline: nothing is {what}, since the run did not pass"));
        }
        return status;
    }
    compare(store, asked, scope, collected, (screen, style)).unwrap_or_else(|error| {
        screen.line(&format!("{}: {error}", if asked.is_asked() { "x" } else { "note" }));
        // Who did not ask is told, no more.
        if asked.is_asked() { Status::Boot } else { status }
    })
}

fn compare(
    store: &Store,
    asked: &Baseline,
    scope: Scope,
    collected: &Collected,
    (screen, style): (&mut Screen<'_>, Style),
) -> Result<Status, StoreError> {
    let (goals, key, results) = (Goals::builtin(), &collected.key, &collected.benches);
    let old = match store.load(key) {
        Err(damaged @ StoreError::Format(..)) if asked.bless.is_some() && scope == Scope::All => {
            screen.line(&format!("note: {damaged}"));
            None
        }
        old => old?,
    };
    let comparison = old.as_ref().map(|old| Comparison::of(old, results, scope, &goals));
    if let (Some(old), Some(comparison)) = (&old, &comparison) {
        screen.line(table::baseline(comparison, old, key, style).trim_end());
    }
    if let Some(reason) = &asked.bless {
        let path = store.bless(key, results, scope, &goals, reason)?;
        let name = key.baseline_name();
        screen.items(&[format!("baseline {name}: blessed"), place::shown(&path)]);
        return Ok(Status::Passed);
    }
    let Some(comparison) = comparison else {
        screen.line(table::no_baseline(key).trim_end());
        return Ok(Status::Passed);
    };
    let worse = asked.baseline && comparison.is_worse();
    Ok(if worse { Status::Worse } else { Status::Passed })
}

#[cfg(test)]
mod tests;
