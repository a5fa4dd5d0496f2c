//! The step that has the kernel end in every way that it can be told to: what a person then reads, and the exit status.
//!
//! What must come out lies in `faults/`, a file for each (see [`pinned`]). It names functions and files; lines and addresses
//! are left open, and so is what the compiler may inline.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use runner::screen::{Facts, Live, Look, Screen};
use runner::{Limits, Request};
use servers::options::{End, Plant};

use super::pinned;
use super::steps::{Done, Step, step};
use crate::settings::Axis;
use crate::{Status, build, place};

/// The step.
pub fn faults() -> Step {
    step("faults", "each way to fail is told apart, with stacks and what to do next", || {
        let (kernel, mut done) = (build::kernel(&[], &[])?, Done::default());
        let checks = Axis::known("checks=on")?.first();
        let checked = build::kernel(&[], &[checks])?;
        for (name, plant) in Plant::ALL {
            match plant {
                Plant::End(End::Misuse(_)) => one(&checked, name, &mut done)?,
                Plant::End(_) => one(&kernel, name, &mut done)?,
                Plant::Bug(_) | Plant::Clock | Plant::LateCpu | Plant::MissingCpu => {}
            }
        }
        Ok(done)
    })
}

fn one(kernel: &Path, name: &str, done: &mut Done) -> Result<()> {
    let file = place::root().join("ci/xtask/src/test/faults").join(name).with_extension("txt");
    let pinned = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let text = boot(kernel, name)?;
    let difference = pinned::differs(&pinned, &text);
    done.count(difference.is_none());
    done.output.push_str(&format!("$ ./x run --plant {name}\n{text}"));
    if let Some(difference) = difference {
        done.output.push_str(&format!("{} has it otherwise:\n{difference}", place::shown(&file)));
    }
    Ok(())
}

/// What `./x run --plant NAME` prints below QEMU's command line, and its exit status; with less patience.
fn boot(kernel: &Path, name: &str) -> Result<String> {
    let mut request = Request::new(kernel);
    request.words = vec!["run=bench,stress".to_owned(), format!("plant={name}")];
    request.limits =
        Limits { boot: Duration::from_secs(3), quiet: Duration::from_secs(6), ..request.limits };
    let mut bytes = Vec::new();
    let screen = Screen::new(&mut bytes, Look::PLAIN);
    let mut live = Live::new(screen, Facts::default(), &request, String::new);
    let report = runner::run(&request, &mut live)?;
    drop(live.finish(&report));
    let text = String::from_utf8(bytes)?;
    let (_, text) = text.split_once("\n+ ").context("no command line of QEMU's")?;
    let (_, text) = text.split_once('\n').context("nothing after QEMU's command line")?;
    Ok(format!("{text}exit status {}\n", Status::of(&report.outcome) as i32))
}
