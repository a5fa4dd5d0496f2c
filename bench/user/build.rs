//! Makes a `mod` line for each benchmark file, so that adding one is adding a file; hands the linker script to the linker.

use std::{env, fs, path::Path};

fn main() {
    let home = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    costs(&Path::new(&home).join("src/costs"));
    println!("cargo:rerun-if-changed=../../userland/program/link.ld");
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        println!("cargo:rustc-link-arg-bins=-T{home}/../../userland/program/link.ld");
        println!("cargo:rustc-link-arg-bins=--gc-sections");
        println!("cargo:rustc-link-arg-bins=-zmax-page-size=4096");
    }
}

fn costs(folder: &Path) {
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut names: Vec<_> = fs::read_dir(folder)
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
