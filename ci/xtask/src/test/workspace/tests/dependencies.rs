//! DEPENDENCIES.md against cargo: a line for each crate that one of ours depends on, with who uses it and how.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{list, metadata};
use crate::place;

/// Who uses a crate, and with which features.
#[derive(Default, Debug, PartialEq, Eq)]
struct Use {
    by: BTreeSet<String>,
    features: BTreeSet<String>,
}

#[test]
fn every_dependency_has_its_line_and_no_line_is_left_over() {
    let (told, found) = (told(), found());
    for (name, found) in &found {
        let Some(told) = told.get(name) else {
            panic!("DEPENDENCIES.md has no line for {name}: {found:?}");
        };
        assert_eq!(told, found, "{name}: left what DEPENDENCIES.md says, right what cargo does");
    }
    let left_over: Vec<_> = told.keys().filter(|name| !found.contains_key(*name)).collect();
    assert!(left_over.is_empty(), "DEPENDENCIES.md has lines for what nothing uses: {left_over:?}");
}

/// What the tables say: a crate, who uses it, its features, and then words.
fn told() -> BTreeMap<String, Use> {
    let text = std::fs::read_to_string(place::root().join("DEPENDENCIES.md")).expect("the file");
    let mut told = BTreeMap::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("| ")) {
        let cells: Vec<&str> = line.trim_end_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 6, "six cells: {line}");
        assert!(cells.iter().all(|cell| !cell.is_empty()), "no cell is empty: {line}");
        if cells[0] == "crate" {
            continue;
        }
        let told_twice = told
            .insert(cells[0].to_owned(), Use { by: words(cells[1]), features: words(cells[2]) });
        assert_eq!(told_twice, None, "{} has two lines", cells[0]);
    }
    told
}

fn words(cell: &str) -> BTreeSet<String> {
    cell.split(", ").filter(|word| *word != "none").map(str::to_owned).collect()
}

/// What cargo says, of the workspace and of the peers'.
fn found() -> BTreeMap<String, Use> {
    let mut found = BTreeMap::<String, Use>::new();
    for folder in [place::root().to_owned(), place::root().join("bench/peers")] {
        let metadata = metadata(&folder).expect("cargo knows the workspace");
        for package in list(&metadata["packages"]) {
            for dependency in list(&package["dependencies"]) {
                if !dependency["path"].is_null() {
                    continue;
                }
                let text = |value: &serde_json::Value| value.as_str().expect("a name").to_owned();
                let found = found.entry(text(&dependency["name"])).or_default();
                found.by.insert(text(&package["name"]));
                found.features.extend(list(&dependency["features"]).iter().map(text));
                if dependency["uses_default_features"] == true {
                    found.features.insert("default".to_owned());
                }
            }
        }
    }
    found
}
