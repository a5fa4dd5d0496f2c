//! What the build scripts of this workspace do: find modules, a file each, and hand linker scripts to the linker.
//!
//! Law: everything is found from cargo's own variables, and cargo is told of each file that was looked at.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// Writes the file `to` into the build folder: for each of these folders of `src` a module, in it one for each file of
/// the folder, so that adding one is adding a file. The crate includes it.
pub fn modules(to: &str, folders: &[&str]) {
    let source = home().join("src");
    let text: String = folders.iter().map(|folder| module(folder, &source.join(folder))).collect();
    fs::write(variable("OUT_DIR").join(to), text).expect("the build folder can be written");
}

/// Links the binaries of this package by a script (its path from the package), where they are for the bare machine.
pub fn link_binaries(script: &str) {
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        link("bins", script);
    }
}

/// The same for the examples of this package, which are for the bare machine always.
pub fn link_examples(script: &str) {
    link("examples", script);
}

fn link(what: &str, script: &str) {
    println!("cargo:rerun-if-changed={script}");
    let script = home().join(script);
    for argument in [&format!("-T{}", script.display()), "--gc-sections", "-zmax-page-size=4096"] {
        println!("cargo:rustc-link-arg-{what}={argument}");
    }
}

fn module(name: &str, folder: &Path) -> String {
    println!("cargo:rerun-if-changed={}", folder.display());
    let files = fs::read_dir(folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let mut names: Vec<String> = files
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".rs").map(str::to_owned))
        .collect();
    names.sort();
    let line = |name: &String| {
        format!("#[path = {:?}]\nmod {name};\n", folder.join(name).with_extension("rs"))
    };
    format!("mod {name} {{\n{}}}\n", names.iter().map(line).collect::<String>())
}

fn home() -> PathBuf {
    variable("CARGO_MANIFEST_DIR")
}

fn variable(name: &str) -> PathBuf {
    env::var_os(name).unwrap_or_else(|| panic!("cargo sets {name}")).into()
}

#[cfg(test)]
mod tests;
