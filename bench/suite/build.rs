//! Makes a `mod` line for each benchmark file, so that adding one is adding a file.

use std::{env, fs, path::Path};

fn main() {
    let folder =
        Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("src/costs");
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut names: Vec<_> = fs::read_dir(&folder)
        .expect("the folder of the benchmarks")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".rs").map(str::to_owned))
        .collect();
    names.sort();
    let lines: String = names
        .iter()
        .map(|name| format!("#[path = {:?}]\nmod {name};\n", folder.join(format!("{name}.rs"))))
        .collect();
    let to = Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("costs.rs");
    fs::write(to, lines).expect("the build folder can be written");
}
