//! Stand-ins: kernels of a few instructions, and shell scripts that play QEMU.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use runner::{Event, Limits, Report, Request};
use tempfile::TempDir;

/// A folder with a kernel and a QEMU in it.
pub struct Bench {
    pub folder: TempDir,
}

impl Bench {
    pub fn new() -> Self {
        Bench { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// Writes a kernel that executes `code` in 32-bit mode, on one CPU, as PVH starts it.
    pub fn kernel(&self, code: &[u8]) -> PathBuf {
        let path = self.folder.path().join("kernel");
        fs::write(&path, tiny_elf(code)).expect("the kernel is written");
        path
    }

    /// Writes a QEMU that answers the question what it is as 7.2 does, and then does `script`.
    pub fn fake(&self, script: &str) -> PathBuf {
        self.script(&format!(
            "#!/bin/sh\ncase \"$*\" in *'-machine none'*)\n\
             echo '{{\"QMP\":{{\"version\":{{\"qemu\":{{\"micro\":22,\"minor\":2,\"major\":7}}}}}}}}'\n\
             echo '{{\"return\":{{}}}}'\n\
             echo '{{\"return\":{{\"model\":{{\"props\":{{\"erms\":true,\"x2apic\":false}}}}}}}}'\n\
             cat >/dev/null; exit 0;; esac\n{script}\n"
        ))
    }

    /// Writes a script that takes no questions.
    pub fn script(&self, text: &str) -> PathBuf {
        let path = self.folder.path().join("qemu");
        fs::write(&path, text).expect("the script is written");
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&path, mode).expect("the script is made executable");
        path
    }

    /// A request with limits that a test can wait for.
    pub fn request(&self, kernel: &Path, qemu: &Path) -> Request {
        let mut request = Request::new(kernel);
        request.qemu = qemu.to_path_buf();
        request.cpus = 1;
        request.memory_mib = Some(128);
        request.limits = Limits {
            boot: Duration::from_secs(2),
            boot_each: Duration::ZERO,
            quiet: Duration::from_secs(2),
            total: Duration::from_secs(20),
            cap: Duration::from_secs(20),
        };
        request
    }
}

/// Runs and returns the report.
pub fn run(request: &Request) -> Report {
    runner::run(request, &mut |_: Event<'_>| {}).expect("the run is tried")
}

/// The lines that a person sees about a report.
pub fn explained(report: &Report, request: &Request) -> String {
    runner::explain::lines(report, request, None).join("\n")
}

const BASE: u32 = 0x20_0000;

/// Makes an ELF that QEMU boots by PVH: one segment, the note that names the entry, and a section
/// `.defmt.end`, by which the runner knows a kernel of ours.
pub fn tiny_elf(code: &[u8]) -> Vec<u8> {
    const HEADER: usize = 64;
    const SEGMENTS: usize = 2 * 56;
    const NOTE: usize = HEADER + SEGMENTS;
    const NOTE_BYTES: usize = 12 + 4 + 8;
    const CODE: usize = NOTE + NOTE_BYTES;
    let names = b"\0.defmt.end\0.text\0.shstrtab\0";
    let names_at = CODE + code.len();
    let sections_at = (names_at + names.len()).next_multiple_of(8);
    let mut elf = Elf(Vec::new());

    elf.bytes(&[0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    elf.half(2).half(62).word(1).long(u64::from(BASE) + CODE as u64);
    elf.long(HEADER as u64).long(sections_at as u64).word(0);
    elf.half(64).half(56).half(2).half(64).half(4).half(3);

    let size = (CODE + code.len()) as u64;
    elf.word(1)
        .word(7)
        .long(0)
        .long(BASE.into())
        .long(BASE.into())
        .long(size)
        .long(size)
        .long(4096);
    let note = u64::from(BASE) + NOTE as u64;
    elf.word(4).word(4).long(NOTE as u64).long(note).long(note);
    elf.long(NOTE_BYTES as u64).long(NOTE_BYTES as u64).long(4);

    elf.word(4).word(8).word(18).bytes(b"Xen\0").long(u64::from(BASE) + CODE as u64);
    elf.bytes(code).bytes(names);
    elf.0.resize(sections_at, 0);

    elf.section(0, 0, 0, 0, 0, 0);
    elf.section(1, 1, 0, 0, CODE as u64, 0);
    elf.section(12, 1, 6, u64::from(BASE) + CODE as u64, CODE as u64, code.len() as u64);
    elf.section(18, 3, 0, 0, names_at as u64, names.len() as u64);
    elf.0
}

struct Elf(Vec<u8>);

impl Elf {
    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend(bytes);
        self
    }

    fn half(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    fn word(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    fn long(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    fn section(&mut self, name: u32, kind: u32, flags: u64, address: u64, at: u64, size: u64) {
        self.word(name).word(kind).long(flags).long(address).long(at).long(size);
        self.word(0).word(0).long(1).long(0);
    }
}
