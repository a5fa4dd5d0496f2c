//! Where things lie: the checkout, and the folder for everything that is made.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The checkout. `x` names it while it has this built, and cargo builds anew when the name changes: cargo does not do so
/// for its own variable, when a checkout was moved, or uses another's target folder.
pub fn root() -> &'static Path {
    Path::new(match option_env!("DAMSELFLY_ROOT") {
        Some(root) => root,
        None => concat!(env!("CARGO_MANIFEST_DIR"), "/../.."),
    })
}

/// Everything made: `target/`, or what `CARGO_TARGET_DIR` says.
pub fn out() -> PathBuf {
    out_by(std::env::var_os("CARGO_TARGET_DIR"))
}

/// The same for a value of the variable. Absolute: programs are started in other folders. Empty is unset, as for `x`.
fn out_by(variable: Option<OsString>) -> PathBuf {
    match variable.filter(|folder| !folder.is_empty()) {
        Some(folder) => std::path::absolute(&folder).unwrap_or_else(|_| folder.into()),
        None => tidy(&root().join("target")),
    }
}

/// What is made for people: kernel, programs, records.
pub fn made() -> PathBuf {
    out().join("x")
}

/// This program, to be started again: as it was started, since the file behind a program that runs may have been built anew.
pub fn myself() -> PathBuf {
    std::env::args_os().next().map_or_else(|| out().join("debug/xtask"), PathBuf::from)
}

/// A path as a person would type it: relative to where they stand, when it lies below.
pub fn shown(path: &Path) -> String {
    let path = tidy(path);
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(&path).display().to_string()
}

/// Without `..`, where the folder exists.
fn tidy(path: &Path) -> PathBuf {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Ok(whole), ..) => whole,
        (Err(_), Some(parent), Some(name)) => {
            parent.canonicalize().map_or_else(|_| path.to_owned(), |parent| parent.join(name))
        }
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests;
