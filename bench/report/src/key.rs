//! What a figure depends on: without it no figure is worth keeping.

use serde::{Deserialize, Serialize};

/// The circumstances of a run; every JSON line carries them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct RunKey {
    /// `rustc 1.96.0`.
    pub compiler: String,
    /// Version of QEMU (`10.0.2`), or `none` in a host process.
    pub qemu: String,
    /// `xAPIC` or `x2APIC`.
    pub apic: String,
    /// CPUs of the guest.
    pub cpus: u64,
    /// `insns`, `tcg`, `kvm` or `hosted`.
    pub mode: String,
    /// What else was asked for (extra QEMU arguments, `quick`), or empty.
    pub settings: String,
    /// The seed of the run.
    pub seed: u64,
    /// Version of the kernel.
    pub kernel: String,
    /// Revision of the source.
    pub git: String,
    /// Whether the source differed from that revision.
    pub dirty: bool,
    /// SHA-256 of the kernel image.
    pub image: String,
    /// CPU model of the guest.
    pub cpu_model: String,
}

impl RunKey {
    /// The part that figures are compared under: `rustc-1.96/qemu-10/x2apic/smp4`, then mode and settings if they are
    /// not the usual ones.
    pub fn baseline_name(&self) -> String {
        let compiler = self.compiler.split_whitespace().collect::<Vec<_>>().join("-");
        let mut name = format!(
            "{}/qemu-{}/{}/smp{}",
            prefix(&compiler, 2),
            prefix(&self.qemu, 1),
            self.apic.to_lowercase(),
            self.cpus
        );
        if self.mode != "insns" {
            name += &format!("/{}", self.mode);
        }
        if !self.settings.is_empty() {
            name += &format!("/{}", self.settings);
        }
        name
    }

    /// The same as a file name.
    pub(crate) fn file_name(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-.,=".contains(c) { c } else { '_' };
        self.baseline_name().chars().map(plain).collect::<String>() + ".json"
    }
}

/// The first `parts` numbers of a version.
fn prefix(version: &str, parts: usize) -> String {
    version.split('.').take(parts).collect::<Vec<_>>().join(".")
}
