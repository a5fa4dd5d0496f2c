//! Names of benchmarks and stress tests, as they stand in the source: enough to say at once that nothing has a name.
//!
//! What there really is the kernel says (`list`); a test holds that none of it is missing here. There is more here, as the names of
//! threads.

use std::path::Path;

use crate::place;
use crate::test::workspace::files;

/// Where they are.
const FOLDERS: [&str; 3] = ["bench/suite/src", "bench/user/src", "kernel/stress/src"];

/// The first part of a filter that no name in the source has in it.
pub fn unknown(filter: &str) -> Option<&str> {
    let known = all();
    bench_report::unknown_part(filter, |part| known.iter().any(|name| name.contains(part)))
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
    fn what_no_name_has_is_found() {
        for filter in ["kernel/switch", "wake,switch", "storm", "", ","] {
            assert_eq!(unknown(filter), None, "{filter}");
        }
        assert_eq!(unknown("kernel/no_such_thing"), Some("kernel/no_such_thing"));
        assert_eq!(unknown("switch,nosuch,storm"), Some("nosuch"));
    }
}
