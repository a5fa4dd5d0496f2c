//! The step that holds figures against the accepted ones.

use std::path::PathBuf;

use anyhow::Result;
use bench_report::baseline::Verdict;
use bench_report::table::{self, Style};
use bench_report::{Comparison, Goals, RunKey, Scope};
use runner::Request;

use super::heard::hear_into;
use super::kernel;
use super::steps::{Done, Step, step};
use crate::collect::Collected;
use crate::{build, gate, guest, settings};

/// The step.
pub fn baseline() -> Step {
    let what = "no figure is worse than the accepted one, on the QEMU of PATH and on the newest";
    step("baseline", what, || {
        let mut done = Done::default();
        for qemu in [kernel::of_path()?, kernel::newest()?].into_iter().flatten() {
            against_baseline(qemu, &mut done)?;
        }
        Ok(done)
    })
}

/// All benchmarks on one QEMU; and of the kernels with other policies those that are accepted: what the simulator's costs come of.
fn against_baseline(qemu: PathBuf, done: &mut Done) -> Result<()> {
    let mut request = Request::new(build::kernel(&[], &[])?);
    request.qemu = qemu;
    request.words = vec!["run=bench".to_owned()];
    let usual = hold(&request, done)?;
    for variant in settings::unusual() {
        let key = RunKey { settings: variant.to_string(), ..usual.clone() };
        let Some(accepted) = gate::store().load(&key)? else { continue };
        // The step `variants` has built it.
        request.kernel = build::kernel(&[], &[variant])?;
        let rows: Vec<_> = accepted.figures.into_keys().collect();
        request.words = vec!["run=bench".to_owned(), format!("filter={}", rows.join(","))];
        hold(&request, done)?;
    }
    Ok(())
}

/// One boot: each benchmark a test against its accepted figure, where there is one for these builds. Says what figures it was.
fn hold(request: &Request, done: &mut Done) -> Result<RunKey> {
    let collected = Collected::new(guest::key_of_ours(request)?, Vec::new());
    let heard = hear_into(request, "bench", collected)?;
    let (key, results) = (heard.collected.key, &heard.collected.benches);
    let name = key.baseline_name();
    if !heard.ended_well {
        done.failed += 1;
        done.output.push_str(&format!("{name}\n{}", heard.told));
        return Ok(key);
    }
    let Some(old) = gate::store().load(&key)? else {
        note(done, &format!("skipped: none for {name}"));
        return Ok(key);
    };
    let comparison = Comparison::of(&old, results, Scope::All, &Goals::builtin());
    done.output.push_str(&table::baseline(&comparison, &old, &key, Style::PLAIN));
    let worse = comparison.count(Verdict::Worse) + comparison.gone.len();
    match comparison.count(Verdict::New) {
        0 => {}
        new => note(done, &format!("{new} not yet in {name}")),
    }
    match old.run.other_builds(&key) {
        // Somebody else's compiler may be to blame: no verdict.
        Some(builds) if worse != 0 => {
            note(done, &format!("skipped: {worse} worse, but {name} was made with {builds}"));
        }
        _ => {
            done.failed += worse;
            done.passed += comparison.count(Verdict::Same) + comparison.count(Verdict::Better);
        }
    }
    Ok(key)
}

fn note(done: &mut Done, text: &str) {
    let comma = if done.note.is_empty() { "" } else { "; " };
    done.note.push_str(&format!("{comma}{text}"));
}
