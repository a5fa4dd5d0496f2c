//! Values of the command line that are more than words: what each may be, or what to write instead.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use crate::place;

/// Part `index` (from 1) of `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which part, from 1.
    pub index: u64,
    /// How many there are.
    pub of: u64,
}

impl Shard {
    /// Whether a seed belongs to this part.
    pub fn holds(self, seed: u64) -> bool {
        seed % self.of == self.index % self.of
    }
}

pub(super) fn seeds(text: &str) -> Result<RangeInclusive<u64>, String> {
    let ends = text.split_once("..").and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    match ends {
        Some((first, last)) if first <= last => Ok(first..=last),
        Some(_) => Err("the first seed is above the last".into()),
        None => Err("write it as 1..100, both ends included".into()),
    }
}

/// Parts at most: each takes the next seed that is its own by looking at all in between.
pub const MOST_SHARDS: u64 = 1000;

pub(super) fn shard(text: &str) -> Result<Shard, String> {
    let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    match parts {
        Some((_, of)) if of > MOST_SHARDS => Err(format!("{MOST_SHARDS} parts at most")),
        Some((index, of)) if 1 <= index && index <= of => Ok(Shard { index, of }),
        _ => Err("write it as 1/4: the first of four parts".into()),
    }
}

/// The name of a program: one that has a source file.
pub(super) fn program(text: &str) -> Result<String, String> {
    let folder = place::root().join("userland/programs/src/bin");
    if folder.join(text).with_extension("rs").is_file() && !text.contains('/') {
        return Ok(text.to_owned());
    }
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .map_err(|error| error.to_string())?
        .filter_map(|file| file.ok()?.path().file_stem()?.to_str().map(str::to_owned))
        .collect();
    names.sort();
    Err(format!("there are {}", names.join(", ")))
}

pub(super) fn reason(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("say why, in a few words".into()),
        reason => Ok(reason.to_owned()),
    }
}

/// Names of faults.
pub(super) fn known_faults(text: &str) -> Result<String, String> {
    let known = || faults::Fault::ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    match faults::Set::of(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err(format!("there are {}", known())),
    }
}

pub(super) fn existing_file(text: &str) -> Result<PathBuf, String> {
    match std::fs::metadata(text) {
        Ok(file) if file.is_file() => Ok(text.into()),
        Ok(_) => Err("that is not a file".into()),
        Err(error) => Err(error.to_string()),
    }
}

/// Parts of names: nothing else, since it becomes a word of the kernel's command line.
pub(super) fn filter(text: &str) -> Result<String, String> {
    /// More than the names of all there is.
    const LONGEST: usize = 400;
    let fits = |c: char| c.is_ascii_alphanumeric() || "/_-,.".contains(c);
    match text {
        _ if text.chars().all(|c| c == ',') => Err("write a part of a name".into()),
        _ if text.len() > LONGEST => Err(format!("{LONGEST} characters at most")),
        _ if text.chars().all(fits) => Ok(text.to_owned()),
        _ => Err("names are of letters, digits, / _ - and ., with commas between several".into()),
    }
}
