//! Where things lie: the checkout, and the folder for everything that is made.

use std::path::{Path, PathBuf};

/// The checkout.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Everything made: `target/`, or what `CARGO_TARGET_DIR` says.
pub fn out() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| tidy(&root().join("target")), PathBuf::from)
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
