//! What the workspace holds, as cargo tells.

use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{place, toolchain};

/// One package of ours.
pub struct Package {
    /// Its name.
    pub name: String,
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
        let output = Command::new(toolchain::cargo())
            .current_dir(place::root())
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .output()
            .context("cargo does not start")?;
        if !output.status.success() {
            bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let metadata: Value = serde_json::from_slice(&output.stdout)?;
        let hosted = list(&metadata["workspace_default_members"]);
        let packages = list(&metadata["packages"]).into_iter().map(|package| Package {
            name: package["name"].as_str().unwrap_or_default().to_owned(),
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

    /// The packages with that feature.
    pub fn with_feature<'a>(&'a self, feature: &'a str) -> impl Iterator<Item = &'a Package> {
        self.packages.iter().filter(move |package| package.features.iter().any(|f| f == feature))
    }
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests;
