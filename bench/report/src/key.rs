//! What a figure depends on: without it no figure is worth keeping.

use serde::{Deserialize, Serialize};

/// The seed of runs that nobody gave another.
const USUAL_SEED: u64 = 1;

/// The circumstances of a run; every JSON line carries them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct RunKey {
    /// `rustc 1.96.0`: what the image says it was built with.
    pub compiler: String,
    /// Version of LLVM in that compiler: two builds of one compiler may differ in it. `unknown` for somebody else's image.
    pub llvm: String,
    /// Version of QEMU (`10.0.2`), or `none` in a host process.
    pub qemu: String,
    /// `xAPIC` or `x2APIC`.
    pub apic: String,
    /// CPUs of the guest.
    pub cpus: u64,
    /// Ticks that the counter of any CPU can differ from the first one's, as the guest measured in boot.
    #[serde(default)]
    pub clock_within: u64,
    /// Ticks that some CPU's counter surely differs from the first one's; 0 when all may be equal.
    #[serde(default)]
    pub clock_apart: u64,
    /// `insns`, `tcg`, `kvm` or `hosted`.
    pub mode: String,
    /// What else was asked for (planted faults, extra QEMU arguments, `quick`), or empty.
    pub settings: String,
    /// The seed of the run.
    pub seed: u64,
    /// Version of the kernel.
    pub kernel: String,
    /// Revision of the source; `unknown` for somebody else's image.
    pub git: String,
    /// Whether the source differed from that revision; `None` if the revision is unknown.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dirty: Option<bool>,
    /// SHA-256 of the kernel image.
    pub image: String,
    /// CPU model of the guest.
    pub cpu_model: String,
}

impl RunKey {
    /// The part that figures are compared under: `rustc-1.96/qemu-10/x2apic/smp4`, then mode, settings and seed if they
    /// are not the usual ones.
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
        if self.seed != USUAL_SEED {
            name += &format!("/seed{}", self.seed);
        }
        name
    }

    /// The source's revision, with a `+` if the source differed from it.
    pub fn revision(&self) -> String {
        format!("{}{}", self.git, if self.dirty == Some(true) { "+" } else { "" })
    }

    /// Whether the run took few samples.
    pub fn is_quick(&self) -> bool {
        self.settings.split_whitespace().any(|word| word == "quick")
    }

    /// The builds of compiler and QEMU, where they are not the same as in `other`. The same name may stand over two.
    pub fn other_builds(&self, other: &RunKey) -> Option<String> {
        let builds = [
            (&self.compiler, &other.compiler),
            (&self.llvm, &other.llvm),
            (&self.qemu, &other.qemu),
        ];
        let said = ["", "LLVM ", "QEMU "].iter().zip(builds).filter(|(_, (mine, its))| mine != its);
        let said: Vec<String> = said.map(|(what, (mine, _))| format!("{what}{mine}")).collect();
        (!said.is_empty()).then(|| said.join(", "))
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
