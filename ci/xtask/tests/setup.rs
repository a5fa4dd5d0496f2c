//! What `x` says and does on other systems, with stand-ins for everything in PATH: package managers that write
//! down what they were asked for, compilers and a QEMU that only know their version.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The programs that `x` may use everywhere; nothing else is in a stand-in system's PATH.
const PLAIN: [&str; 14] = [
    "sh", "awk", "sed", "dirname", "mkdir", "cat", "tail", "chmod", "ls", "touch", "env", "grep",
    "tr", "rm",
];

/// A system of stand-ins.
struct System {
    folder: PathBuf,
}

impl System {
    /// With the given package manager (or none), as the given system.
    fn new(test: &str, manager: &str, release: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("bin")).expect("a writable target folder");
        for name in PLAIN {
            let found = std::env::split_paths(&std::env::var_os("PATH").expect("PATH is set"))
                .map(|path| path.join(name))
                .find(|path| path.exists());
            symlink(found.expect("a plain program"), folder.join("bin").join(name))
                .expect("an empty folder");
        }
        fs::write(folder.join("os-release"), release).expect("a writable folder");
        let system = Self { folder };
        system.program("uname", "echo Linux");
        system.program("id", "echo 1000");
        if !manager.is_empty() {
            system.program(manager, r#"echo "${0##*/} $*" >> "$LOG""#);
            system.program("apt-cache", r#"echo "Package: $2""#);
        }
        system
    }

    /// Adds a program.
    fn program(&self, name: &str, script: &str) {
        let path = self.folder.join("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a writable folder");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("our own file");
    }

    /// Adds everything that `x` needs but one thing.
    fn complete_but(&self, missing: &str) {
        let sysroot = self.folder.join("sysroot");
        let core = sysroot.join("lib/rustlib/x86_64-unknown-none/lib");
        fs::create_dir_all(&core).expect("a writable folder");
        fs::write(core.join("libcore-1.rlib"), "").expect("a writable folder");
        let rustc = format!(
            r#"case "$*" in *sysroot*) echo {} ;; *) echo "rustc 1.99.0 (stand-in)" ;; esac"#,
            sysroot.display()
        );
        let all = [
            ("rustc", rustc.as_str()),
            ("cargo", "exit 1"),
            ("cc", ""),
            ("ld.lld", ""),
            ("qemu-system-x86_64", r#"echo "QEMU emulator version 9.2.1""#),
        ];
        for (name, script) in all.iter().filter(|(name, _)| *name != missing) {
            self.program(name, script);
        }
    }

    /// `./x WORDS` there; no terminal.
    fn x(&self, words: &[&str]) -> Output {
        self.x_with(words, &[])
    }

    fn x_with(&self, words: &[&str], variables: &[(&str, &str)]) -> Output {
        Command::new(self.folder.join("bin/sh"))
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../x"))
            .args(words)
            .env_clear()
            .env("PATH", self.folder.join("bin"))
            .env("HOME", &self.folder)
            .env("LOG", self.log())
            .env("CARGO_TARGET_DIR", self.folder.join("target"))
            .env("DAMSELFLY_OS_RELEASE", self.folder.join("os-release"))
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .output()
            .expect("sh starts")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// What the package manager was asked.
    fn asked(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }
}

const DEBIAN_12: &str = "ID=debian\nVERSION_ID=\"12\"\n";
const DEBIAN_13: &str = "ID=debian\nVERSION_ID=\"13\"\n";
const UBUNTU: &str = "ID=ubuntu\nVERSION_ID=\"24.04\"\n";
const FEDORA: &str = "ID=fedora\nVERSION_ID=43\n";

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// `doctor`'s fixes there.
fn fixes(system: &System) -> Vec<String> {
    let output = system.x(&["doctor"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let fixes = text(&output)
        .lines()
        .filter_map(|line| Some(line.trim().strip_prefix("fix: ")?.to_owned()))
        .collect();
    assert_eq!(system.asked(), "", "doctor installs nothing");
    fixes
}

#[test]
fn doctor_on_debian_12() {
    let fixes = fixes(&System::new("debian-12", "apt-get", DEBIAN_12));
    let install = "sudo apt-get install -y --no-install-recommends";
    let rust = "rustc-web cargo-web rust-web-src rustfmt-web rust-web-clippy";
    let packages = [rust, "gcc libc6-dev", "lld-22", "qemu-system-x86"];
    assert_eq!(fixes, packages.map(|names| format!("{install} {names}")));
}

#[test]
fn doctor_on_debian_13_and_ubuntu() {
    for (name, release) in [("debian-13", DEBIAN_13), ("ubuntu", UBUNTU)] {
        let fixes = fixes(&System::new(name, "apt-get", release));
        assert_eq!(fixes[0], "sudo apt-get install -y --no-install-recommends rustup");
        assert!(fixes[1].starts_with("rustup toolchain install stable"), "{fixes:?}");
        assert!(fixes[1].ends_with("--target x86_64-unknown-none"), "{fixes:?}");
        assert_eq!(
            fixes.last().map(String::as_str),
            Some("sudo apt-get install -y --no-install-recommends qemu-system-x86")
        );
    }
}

#[test]
fn doctor_on_fedora() {
    let fixes = fixes(&System::new("fedora", "dnf", FEDORA));
    assert_eq!(
        fixes,
        [
            "sudo dnf install -y rust cargo rustfmt clippy rust-std-static-x86_64-unknown-none",
            "sudo dnf install -y gcc glibc-devel",
            "sudo dnf install -y lld",
            "sudo dnf install -y qemu-system-x86-core"
        ]
    );
}

#[test]
fn doctor_on_macos() {
    let system = System::new("macos", "brew", "");
    system.program("uname", "echo Darwin");
    let fixes = fixes(&system);
    assert_eq!(fixes[0], "brew install rustup");
    assert!(
        fixes[1].contains("toolchain install stable") && fixes[1].contains("x86_64-unknown-none"),
        "{fixes:?}"
    );
    assert_eq!(
        fixes[2..],
        ["xcode-select --install", "brew install qemu"],
        "rustup brings the linker"
    );
}

#[test]
fn doctor_without_a_package_manager() {
    let fixes = fixes(&System::new("bare", "", ""));
    assert!(
        fixes.iter().all(|fix| fix.contains("no apt, dnf or brew") || fix.starts_with("rustup ")),
        "{fixes:?}"
    );
}

#[test]
fn nothing_is_installed_when_told_not_to() {
    let system = System::new("no-install", "apt-get", DEBIAN_12);
    system.program("sudo", r#""$@""#);
    let output = system.x(&["run", "--no-install"]);
    let text = text(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert_eq!(system.asked(), "");
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("apt-get")).collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(
        lines[1].ends_with("rust-web-clippy gcc libc6-dev lld-22 qemu-system-x86"),
        "one line to type: {text}"
    );
}

#[test]
fn nothing_is_installed_where_we_may_not() {
    let system = System::new("no-sudo", "apt-get", DEBIAN_12);
    let output = system.x(&["run", "--yes"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert_eq!(system.asked(), "", "neither root nor sudo");
}

#[test]
fn what_is_missing_is_announced_and_installed() {
    let system = System::new("sudo", "apt-get", DEBIAN_12);
    system.complete_but("qemu-system-x86_64");
    system.program("sudo", r#""$@""#);
    let output = system.x(&["run"]);
    let text = text(&output);
    let (said, _) = text.split_once("+ sudo apt-get install").expect("it installs");
    assert!(
        said.contains("QEMU for x86_64, 7.2 or newer: the machine that the kernel runs on"),
        "{text}"
    );
    assert_eq!(
        system.asked(),
        "apt-get update -qq\napt-get install -y --no-install-recommends qemu-system-x86\n",
        "its own sources, and only what is missing"
    );
    assert!(text.contains("still missing: QEMU"), "the stand-in brought none: {text}");
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn an_old_qemu_is_said_to_be_old() {
    let system = System::new("old-qemu", "dnf", FEDORA);
    system.complete_but("qemu-system-x86_64");
    system.program("qemu-system-x86_64", r#"echo "QEMU emulator version 6.2.0""#);
    let output = system.x(&["run", "--no-install"]);
    assert!(text(&output).contains("7.2 or newer (found 6.2.0)"), "{}", text(&output));
}

#[test]
fn an_old_compiler_is_said_to_be_old() {
    let system = System::new("old-rustc", "dnf", FEDORA);
    system.complete_but("rustc");
    system.program("rustc", r#"echo "rustc 1.63.0 (stand-in)""#);
    let output = system.x(&["run", "--no-install"]);
    assert!(text(&output).contains("rustc 1.63.0"), "{}", text(&output));
    assert!(text(&output).contains("too old"), "{}", text(&output));
}

#[test]
fn a_complete_system_installs_nothing() {
    let system = System::new("complete", "apt-get", DEBIAN_12);
    system.complete_but("nothing");
    system.program("sudo", r#""$@""#);
    // The stand-in cargo builds nothing, and that is as far as this system goes.
    assert_eq!(system.x(&["run"]).status.code(), Some(3));
    assert_eq!(system.asked(), "");
    let doctor = text(&system.x(&["doctor"]));
    assert!(doctor.contains("rustc 1.99.0") && doctor.contains("9.2.1"), "{doctor}");
    assert!(!doctor.contains("fix:"), "{doctor}");
}

#[test]
fn rustup_is_asked_for_what_it_lacks() {
    let system = System::new("rustup", "apt-get", DEBIAN_12);
    system.complete_but("rustc");
    system.program("rustup", r#"echo "rustup $*" >> "$LOG"; case $1 in which) exit 1 ;; esac"#);
    system.x(&["run", "--yes"]);
    let asked = system.asked();
    assert!(
        asked.contains("rustup toolchain install stable --profile minimal"),
        "it needs no root: {asked}"
    );
    assert!(!asked.contains("apt-get"), "{asked}");
}

#[test]
fn rustup_is_left_alone_when_it_must_not_install() {
    let system = System::new("rustup-0", "apt-get", DEBIAN_12);
    system.complete_but("rustc");
    system.program("id", "echo 0");
    system.program("rustup", r#"echo "rustup $*" >> "$LOG"; exit 1"#);
    system.x_with(&["run", "--yes"], &[("RUSTUP_AUTO_INSTALL", "0")]);
    let asked = system.asked();
    assert!(!asked.contains("rustup toolchain"), "{asked}");
    assert!(asked.contains("install -y --no-install-recommends rustc-web"), "{asked}");
}

#[test]
fn help_without_a_compiler_says_what_there_is() {
    let system = System::new("help", "apt-get", DEBIAN_12);
    let output = system.x(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output).contains("./x doctor"));
    assert_eq!(system.x(&[]).status.code(), Some(2));
}
