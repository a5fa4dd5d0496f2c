//! `./x doctor`: what this machine has beyond the tools, which `ci/setup.sh` has reported on already.

use anyhow::Result;

use crate::cli::DoctorArgs;
use crate::{Status, toolchain};

/// Prints a line for each thing; a bad one is followed by its fix.
pub fn doctor(_args: &DoctorArgs) -> Result<Status> {
    let linker = toolchain::linker()?;
    line("linking", &format!("the kernel, by {}", linker.path.display()));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    line("host", &format!("{cores} CPUs; more than that for --smp take turns"));
    let incomplete = std::env::var_os("DAMSELFLY_INCOMPLETE").is_some();
    Ok(if incomplete { Status::Failed } else { Status::Passed })
}

fn line(what: &str, text: &str) {
    println!("{what:<10} {text}");
}
