//! Names of benchmarks and stress tests, as they stand in the source: enough to say at once that nothing has a name.
//!
//! What there really is the kernel says (`list`); a test holds that none of it is missing here. There is more here, as the names of
//! threads.

use std::path::Path;

use crate::place;
use crate::test::workspace::files;

/// Where they are.
const FOLDERS: [&str; 3] = ["bench/suite/src", "bench/user/src", "kernel/stress/src"];

/// Whether the source has a name that a filter may choose.
pub fn may_choose(filter: &str) -> bool {
    let parts: Vec<_> = filter.split(',').filter(|part| !part.is_empty()).collect();
    let chosen = |name: &String| parts.iter().any(|part| name.contains(part));
    parts.is_empty() || all().iter().any(chosen)
}

/// All that stand behind `name:`.
pub fn all() -> Vec<String> {
    let sources = FOLDERS.iter().flat_map(|folder| files(&place::root().join(folder)));
    let texts = sources.filter_map(|path| read(&path));
    texts.flat_map(|text| named(&text)).collect()
}

fn read(path: &Path) -> Option<String> {
    path.extension()
        .filter(|ending| *ending == "rs")
        .and_then(|_| std::fs::read_to_string(path).ok())
}

fn named(text: &str) -> Vec<String> {
    let behind = text.split("name: \"").skip(1);
    behind.filter_map(|rest| rest.split_once('"')).map(|(name, _)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_names_may_choose() {
        for filter in ["kernel/switch", "nothing,switch", "storm", ""] {
            assert!(may_choose(filter), "{filter}");
        }
        assert!(!may_choose("kernel/no_such_thing"));
    }
}
