//! The laws of the layout: arrows only down, assembly only where hardware is, one place for unstable features.

mod dependencies;

use std::path::{Path, PathBuf};

use super::*;

/// Who is below whom: a crate depends on rows further down only. A new crate gets a place here.
const ROWS: [&[&str]; 11] = [
    &["xtask", "image", "sim"],
    &["runner", "kernel-stress", "bench-suite", "bench-play", "bench-report"],
    &["kernel-core", "programs", "bench-user", "layer"],
    &["arch", "servers", "lwkt-port", "lwkt-token", "dispatch", "program"],
    &["lwkt-events"],
    &["lwkt-sched", "ipiq", "apic", "uarch"],
    &["uthread", "trace", "memory"],
    &["probe", "faults"],
    &["percpu", "clocks"],
    &["abi"],
    &["bench-api", "workload", "build-steps"],
];

/// Where the words of a processor may stand.
const ASSEMBLY: [&str; 3] = ["kernel/arch", "smp/apic", "userland/arch"];

fn row(name: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&name))
}

#[test]
fn arrows_point_down() {
    let workspace = Workspace::read().expect("cargo knows the workspace");
    for package in &workspace.packages {
        let Some(own) = row(&package.name) else {
            panic!("package {} has no place in the rows of this test", package.name);
        };
        let ours = package.below.iter().filter_map(|name| Some((name, row(name)?)));
        for (name, below) in ours {
            assert!(own < below, "{} is not above {name}: the arrow would point up", package.name);
        }
    }
}

#[test]
fn what_runs_on_the_host_needs_no_bare_machine() {
    let workspace = Workspace::read().expect("cargo knows the workspace");
    for package in workspace.packages.iter().filter(|package| package.on_host) {
        let bare = workspace.bare().find(|bare| package.below.contains(&bare.name));
        let bare = bare.map(|bare| &bare.name);
        assert_eq!(bare, None, "{} builds on the host, that does not", package.name);
    }
}

#[test]
fn assembly_stays_with_the_hardware() {
    for (path, text) in sources(&["rs", "S", "s"]) {
        let home = ASSEMBLY.iter().any(|folder| path.starts_with(folder));
        let assembly = path.extension().is_none_or(|end| end != "rs")
            || ["asm!(", "asm! (", "asm!{", "asm! {", "naked_asm!", "global_asm!"]
                .iter()
                .any(|word| text.contains(word));
        let this_test = path.ends_with("ci/xtask/src/test/workspace/tests.rs");
        assert!(home || !assembly || this_test, "{} holds assembly", path.display());
    }
}

#[test]
fn unstable_features_are_unlocked_in_one_script() {
    for (path, text) in sources(&["rs", "sh", "toml"]) {
        let allowed = path.ends_with("ci/sysroot.sh")
            || path.ends_with("ci/xtask/src/test/workspace/tests.rs");
        assert!(
            allowed || !text.contains("RUSTC_BOOTSTRAP"),
            "{} unlocks unstable features",
            path.display()
        );
    }
}

/// Every file of ours with one of these endings, by its path in the checkout.
fn sources(endings: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    collect(place::root(), endings, &mut found);
    assert!(!found.is_empty());
    found
}

fn collect(folder: &Path, endings: &[&str], found: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the checkout").flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                collect(&path, endings, found);
            }
        } else if endings.iter().any(|end| path.extension().is_some_and(|own| own == *end)) {
            let text = std::fs::read_to_string(&path).expect("a text file");
            let inside = path.strip_prefix(place::root()).expect("it was found there");
            found.push((inside.to_owned(), text));
        }
    }
}
