//! What the workspace holds, as cargo tells.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{place, toolchain};

/// One package of ours.
pub struct Package {
    /// Its name.
    pub name: String,
    /// Where it lies.
    pub folder: PathBuf,
    /// The cargo features it has.
    pub features: Vec<String>,
    /// It builds on the host, and is tested there.
    pub on_host: bool,
    /// The names of what it depends on, tests aside.
    #[cfg_attr(not(test), expect(dead_code, reason = "the layering test's"))]
    pub below: Vec<String>,
}

/// All packages of ours.
pub struct Workspace {
    /// In cargo's order.
    pub packages: Vec<Package>,
}

impl Workspace {
    /// Asks cargo.
    pub fn read() -> Result<Self> {
        let metadata = metadata(place::root())?;
        let hosted = list(&metadata["workspace_default_members"]);
        let packages = list(&metadata["packages"]).into_iter().map(|package| Package {
            name: package["name"].as_str().unwrap_or_default().to_owned(),
            folder: Path::new(package["manifest_path"].as_str().unwrap_or_default())
                .parent()
                .map(Path::to_owned)
                .unwrap_or_default(),
            features: package["features"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, _)| name.clone())
                .collect(),
            on_host: hosted.contains(&package["id"]),
            below: list(&package["dependencies"])
                .iter()
                .filter(|dependency| dependency["kind"] != "dev")
                .filter_map(|dependency| dependency["name"].as_str().map(str::to_owned))
                .collect(),
        });
        Ok(Self { packages: packages.collect() })
    }

    /// The packages that only build for the bare machine.
    pub fn bare(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| !package.on_host)
    }

    /// All source files of the packages.
    pub fn sources(&self) -> Vec<PathBuf> {
        let files = self.packages.iter().flat_map(|package| files(&package.folder));
        files.filter(|path| path.extension().is_some_and(|end| end == "rs")).collect()
    }

    /// The packages with models for that checker, a feature of theirs, and cargo's words for running them.
    pub fn models<'a>(
        &'a self,
        checker: &'a str,
    ) -> impl Iterator<Item = (&'a Package, Vec<String>)> {
        self.packages.iter().filter_map(move |package| {
            let targets = package.models(checker);
            let has = package.features.iter().any(|feature| feature == checker);
            (has && !targets.is_empty()).then_some((package, targets))
        })
    }
}

impl Package {
    /// Its models: test files that exist under the checker's feature only, and unit tests in a module named after it.
    fn models(&self, checker: &str) -> Vec<String> {
        let gate = format!("#![cfg(feature = \"{checker}\")]");
        let gated =
            |path: &Path| std::fs::read_to_string(path).is_ok_and(|text| text.contains(&gate));
        let mut words: Vec<String> = files(&self.folder.join("tests"))
            .filter(|path| gated(path))
            .filter_map(|path| path.file_stem()?.to_str().map(str::to_owned))
            .flat_map(|name| ["--test".to_owned(), name])
            .collect();
        let module = format!("{checker}.rs");
        if words.is_empty() && files(&self.folder.join("src")).any(|path| path.ends_with(&module)) {
            words.extend(["--lib".to_owned(), checker.to_owned()]);
        }
        words
    }
}

/// All files below a folder, in order.
pub fn files(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let mut found = Vec::new();
    let mut left = vec![folder.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() { left.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found.into_iter()
}

/// What cargo says about the workspace in a folder, its dependencies' own aside.
fn metadata(workspace: &Path) -> Result<Value> {
    let output = Command::new(toolchain::cargo())
        .current_dir(workspace)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .context("cargo does not start")?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests;
