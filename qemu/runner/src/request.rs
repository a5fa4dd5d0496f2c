//! What to boot, and how: the whole input of a run.
//!
//! Plain data. Nothing here looks at the host; [`crate::probe`] does that, and
//! [`crate::command`] joins the two into QEMU's arguments.

use std::{
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use crate::{Refusal, machine::Machine, probe::Probe};

/// How QEMU executes the guest, and so what its figures mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash)]
pub enum Mode {
    /// Exact instruction counts, repeatable: all CPUs take turns on one virtual clock.
    #[default]
    Insns,
    /// Multi-threaded emulation; wall-clock cycles of the emulator.
    Tcg,
    /// Hardware virtualisation; real cycles.
    Kvm,
}

impl Mode {
    /// Every mode, in the order in which help lists them.
    pub const ALL: [Mode; 3] = [Mode::Insns, Mode::Tcg, Mode::Kvm];

    /// Returns the word used on the command line and in records.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Insns => "insns",
            Mode::Tcg => "tcg",
            Mode::Kvm => "kvm",
        }
    }

    /// Returns the sentence that stands above every table of this mode.
    pub fn meaning(self) -> &'static str {
        match self {
            Mode::Insns => "exact instructions, summed over all CPUs. Not cycles, not latency.",
            Mode::Tcg => {
                "wall cycles of QEMU's emulation on this host. Not a claim about hardware."
            }
            Mode::Kvm => "cycles of this host's CPU, under KVM. They vary from run to run.",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Mode::ALL
            .into_iter()
            .find(|mode| mode.name() == word)
            .ok_or_else(|| format!("no mode '{word}': there are insns, tcg and kvm"))
    }
}

/// Which local APIC the guest is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash)]
pub enum Apic {
    /// x2APIC where QEMU can give it, else xAPIC.
    #[default]
    Best,
    /// xAPIC, also where x2APIC could be had: for tests.
    Xapic,
}

/// CPUs that can be told apart by a memory-mapped APIC: its numbers are bytes, and one of them means all.
pub const MOST_BY_XAPIC: u32 = 255;

/// How long a run may take, on a host of the reference speed.
///
/// Each is multiplied by the start-up calibration ([`crate::calibrate`]);
/// `cap` is not, it ends every run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Until the first sign of life, which comes when all CPUs are up.
    pub boot: Duration,
    /// As much more for each CPU.
    pub boot_each: Duration,
    /// Between two signs of life.
    pub quiet: Duration,
    /// For the whole run.
    pub total: Duration,
    /// For the whole run, whatever the calibration says.
    pub cap: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            boot: Duration::from_secs(20),
            boot_each: Duration::from_millis(250),
            quiet: Duration::from_secs(60),
            total: Duration::from_secs(600),
            cap: Duration::from_secs(3600),
        }
    }
}

/// One boot of the kernel.
#[derive(Clone, Debug)]
pub struct Request {
    /// The kernel, an ELF with debug information.
    pub kernel: PathBuf,
    /// A file handed to the kernel as its first boot module.
    pub initrd: Option<PathBuf>,
    /// QEMU's binary, a path or a name to look for in `PATH`.
    pub qemu: PathBuf,
    /// The machine profile.
    pub machine: Machine,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Guest memory; the profile's when `None`.
    pub memory_mib: Option<u32>,
    /// How to execute.
    pub mode: Mode,
    /// Which local APIC to offer.
    pub apic: Apic,
    /// Seed of everything that is drawn at random, in QEMU and in the guest.
    pub seed: u64,
    /// Words of the kernel command line after `frames mode= seed=`, as `run=bench`.
    pub words: Vec<String>,
    /// Arguments for QEMU, after all of ours.
    pub extra: Vec<OsString>,
    /// Time limits.
    pub limits: Limits,
    /// Wait for a debugger instead of running.
    pub gdb: bool,
    /// The device by which this host lends its KVM.
    pub kvm: PathBuf,
    /// Folder for answers worth keeping between runs (whether KVM works); `None` asks anew.
    pub cache: Option<PathBuf>,
}

impl Request {
    /// A boot of `kernel` with everything else as a user gets it unasked: four CPUs,
    /// mode `insns`, seed 1, `qemu-system-x86_64` from `PATH`.
    pub fn new(kernel: impl AsRef<Path>) -> Self {
        Request {
            kernel: kernel.as_ref().to_path_buf(),
            initrd: None,
            qemu: PathBuf::from("qemu-system-x86_64"),
            machine: Machine::default(),
            cpus: 4,
            memory_mib: None,
            mode: Mode::default(),
            apic: Apic::default(),
            seed: 1,
            words: Vec::new(),
            extra: Vec::new(),
            limits: Limits::default(),
            gdb: false,
            kvm: PathBuf::from("/dev/kvm"),
            cache: None,
        }
    }

    /// Looks whether the machine takes so many CPUs.
    pub fn check(&self) -> Result<(), Refusal> {
        let (cpus, machine) = (self.cpus, &self.machine);
        if cpus == 0 || cpus > machine.max_cpus {
            return Err(Refusal::Usage(format!(
                "--smp {cpus}: machine {} takes 1 to {} CPUs",
                machine.name, machine.max_cpus
            )));
        }
        Ok(())
    }

    /// Whether it depends on QEMU how many CPUs there can be.
    pub fn depends_on_probe(&self) -> bool {
        self.cpus > MOST_BY_XAPIC && self.mode != Mode::Kvm
    }

    /// Looks whether this QEMU can start so many.
    pub fn check_with(&self, probe: &Probe) -> Result<(), Refusal> {
        if !self.depends_on_probe() {
            return Ok(());
        }
        let why = match (self.apic, probe.x2apic) {
            (Apic::Xapic, _) => "--xapic leaves".to_owned(),
            (Apic::Best, false) => format!("QEMU {} emulates", probe.version),
            (Apic::Best, true) => return Ok(()),
        };
        Err(Refusal::Usage(format!(
            "--smp {}: {why} no x2APIC, so {MOST_BY_XAPIC} CPUs at most; QEMU 10 has it (sh ci/newest-qemu.sh FOLDER unpacks one, for --qemu)",
            self.cpus
        )))
    }

    /// Returns the kernel command line; `frames` asks the kernel for defmt frames
    /// where it would print text.
    pub fn command_line(&self, frames: Frames) -> String {
        let mut line = String::new();
        if frames == Frames::Asked {
            line.push_str("frames ");
        }
        line.push_str(&format!("mode={} seed={}", self.mode, self.seed));
        for word in &self.words {
            line.push(' ');
            line.push_str(word);
        }
        line
    }
}

/// Whether the kernel is asked for frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frames {
    /// Frames on port 0xe9.
    Asked,
    /// Text on the serial port.
    NotAsked,
}
