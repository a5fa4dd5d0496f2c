//! Machine profiles: what `qemu/machines/*.toml` says about a machine.

use std::{fs, path::Path};

use serde::Deserialize;

/// A machine that the kernel can be booted on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// The profile's name, which is its file's.
    pub name: String,
    /// What it is for, in a line.
    pub about: String,
    /// The value of QEMU's `-machine`.
    pub machine: String,
    /// Guest memory where the run does not say.
    pub memory_mib: u32,
    /// The most virtual CPUs that this machine takes.
    pub max_cpus: u32,
    /// Values for `-device`, beside those that the runner adds.
    #[serde(default)]
    pub devices: Vec<String>,
}

impl Machine {
    /// Reads a profile.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())
    }

    /// Reads the profile called `name` in `folder`, and names those that are there if it is not.
    pub fn find(folder: &Path, name: &str) -> Result<Self, String> {
        match fs::read_to_string(folder.join(name).with_extension("toml")) {
            Ok(text) => Self::parse(&text),
            Err(_) => {
                let mut known: Vec<String> = fs::read_dir(folder)
                    .into_iter()
                    .flatten()
                    .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                    .filter_map(|file| Some(file.strip_suffix(".toml")?.to_owned()))
                    .collect();
                known.sort();
                Err(format!("no machine '{name}': there are {}", known.join(", ")))
            }
        }
    }
}

impl Default for Machine {
    /// Returns the machine that everything is measured on.
    fn default() -> Self {
        Self::parse(include_str!("../../machines/q35.toml"))
            .expect("the profile is part of this crate and parsed by its tests")
    }
}
