//! Finds the checks: a file for each, in `src/stress`, `src/tests` and `src/user`.

use std::{env, fs, path::Path};

fn main() {
    let source = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("src");
    let lines: String =
        ["stress", "tests", "user"].iter().map(|kind| modules(&source.join(kind), kind)).collect();
    let to = Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("checks.rs");
    fs::write(to, lines).expect("the build folder can be written");
}

/// A module of a module for each file of a folder.
fn modules(folder: &Path, kind: &str) -> String {
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut names: Vec<_> = fs::read_dir(folder)
        .expect("the folder of the checks")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".rs").map(str::to_owned))
        .collect();
    names.sort();
    let one =
        |name: &String| format!("#[path = {:?}]\nmod {name};\n", folder.join(format!("{name}.rs")));
    format!("mod {kind} {{\n{}}}\n", names.iter().map(one).collect::<String>())
}
