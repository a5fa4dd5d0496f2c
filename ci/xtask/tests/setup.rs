//! What `x` says and does on other systems, with stand-ins for everything in PATH: package managers that write
//! down what they were asked for, compilers and a QEMU that only know their version.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The programs that `x` may use everywhere; nothing else is in a stand-in system's PATH.
const PLAIN: [&str; 15] = [
    "sh", "awk", "sed", "dirname", "mkdir", "cat", "tail", "chmod", "ls", "touch", "env", "grep",
    "tr", "rm", "readlink",
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
        self.shell(&[])
            .arg(this().join("x"))
            .args(words)
            .envs(variables.iter().copied())
            .output()
            .expect("sh starts")
    }

    /// The shell there; no terminal.
    fn shell(&self, words: &[&str]) -> Command {
        let mut shell = Command::new(self.folder.join("bin/sh"));
        shell
            .args(words)
            .current_dir(&self.folder)
            .env_clear()
            .env("PATH", self.folder.join("bin"))
            .env("HOME", &self.folder)
            .env("LOG", self.log())
            .env("CARGO_TARGET_DIR", self.folder.join("target"))
            .env("DAMSELFLY_OS_RELEASE", self.folder.join("os-release"))
            .stdin(Stdio::null());
        shell
    }

    /// A checkout of its own, as far as `x` looks at one, with a package named `own`.
    fn checkout(&self, name: &str) -> PathBuf {
        let checkout = self.folder.join(name);
        fs::create_dir_all(checkout.join("ci/own")).expect("a writable folder");
        for file in ["x", "ci/setup.sh", "ci/versions.toml"] {
            fs::copy(this().join(file), checkout.join(file)).expect("a file of ours");
        }
        fs::write(checkout.join("ci/own/Cargo.toml"), "[package]\nname = \"own\"\n")
            .expect("a writable folder");
        checkout
    }

    /// `CHECKOUT/x bench` there; the target folder is what the variable says, none when it is not given.
    fn bench(&self, checkout: &Path, target: Option<&str>) -> Output {
        let mut shell = self.shell(&[]);
        shell.arg(checkout.join("x")).arg("bench").env_remove("CARGO_TARGET_DIR");
        shell.envs(target.map(|folder| ("CARGO_TARGET_DIR", folder))).output().expect("sh starts")
    }

    /// Has cargo write down the target folder that it sees.
    fn cargo_tells_target(&self) {
        self.program("cargo", r#"echo "$CARGO_TARGET_DIR" >> "$LOG"; exit 1"#);
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// What the package manager was asked.
    fn asked(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }
}

/// This checkout.
fn this() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests");
    Path::new(&package).join("../..")
}

/// That it ended with 3 and one line, which holds `part`.
fn refused(output: &Output, part: &str) {
    let text = text(output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.starts_with("x: ") && text.contains(part), "{text}");
}

const DEBIAN_12: &str = "ID=debian\nVERSION_ID=\"12\"\n";
const DEBIAN_13: &str = "ID=debian\nVERSION_ID=\"13\"\n";
const UBUNTU: &str = "ID=ubuntu\nVERSION_ID=\"24.04\"\n";
const FEDORA: &str = "ID=fedora\nVERSION_ID=43\n";

/// All that is said where nothing is wrong, and xtask is not there yet.
const BUILDS: &str = "building what ./x does its work with, once (up to a minute)\n";

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
fn each_verb_that_boots_asks_for_qemu() {
    let system = System::new("verbs", "apt-get", DEBIAN_12);
    system.complete_but("qemu-system-x86_64");
    let says = |words: &[&str]| text(&system.x(&[words, &["--no-install"]].concat()));
    let boots: [&[&str]; 7] = [
        &["run"],
        &["test"],
        &["bench"],
        &["stress"],
        &["boot"],
        &["trace", "kernel/port_do"],
        &["sim", "web", "--kernel"],
    ];
    for words in boots {
        let said = says(words);
        assert!(said.contains("QEMU for x86_64, 7.2 or newer"), "{words:?}: {said}");
    }
    for words in [&["sim", "web"] as &[&str], &["bench", "--hosted"]] {
        let said = says(words);
        assert!(!said.contains("QEMU"), "{words:?}: {said}");
    }
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

#[test]
fn a_target_folder_belongs_to_one_checkout() {
    let system = System::new("shared", "apt-get", DEBIAN_12);
    system.complete_but("nothing");
    let (first, second) = (system.checkout("first"), system.checkout("second"));
    assert_eq!(text(&system.bench(&first, Some("shared"))), BUILDS, "cargo builds nothing here");
    let output = system.bench(&second, Some("shared"));
    refused(&output, "first; set CARGO_TARGET_DIR to another folder");
    assert_eq!(text(&system.bench(&first, Some("shared"))), BUILDS);
    assert_eq!(text(&system.bench(&second, Some("apart"))), BUILDS);
}

#[test]
fn what_a_vanished_checkout_left_is_built_anew() {
    let system = System::new("moved é a", "apt-get", DEBIAN_12);
    system.complete_but("nothing");
    let checkout = system.checkout("old");
    assert_eq!(text(&system.bench(&checkout, None)), BUILDS);
    let places = ["debug", "bare/release", "bare/x86_64-unknown-none/release"];
    let known = |checkout: &Path, package: &str| {
        places.map(|place| checkout.join("target").join(place).join(".fingerprint").join(package))
    };
    for folder in [known(&checkout, "own-1"), known(&checkout, "another-1")].concat() {
        fs::create_dir_all(folder).expect("a writable folder");
    }
    system.bench(&checkout, None);
    assert!(known(&checkout, "own-1").iter().all(|folder| folder.exists()), "nothing moved");
    let moved = system.folder.join("new ü");
    fs::rename(&checkout, &moved).expect("the same file system");
    assert_eq!(text(&system.bench(&moved, None)), BUILDS);
    assert!(!known(&moved, "own-1").iter().any(|folder| folder.exists()));
    assert!(known(&moved, "another-1").iter().all(|folder| folder.exists()), "not ours");
    let stamp = fs::read_to_string(moved.join("target/checkout")).expect("a stamp");
    assert!(stamp.lines().next().is_some_and(|line| line.ends_with("/new ü")), "{stamp}");
}

#[test]
fn closed_streams_install_nothing() {
    for (i, closed) in [">&-", "2>&-", "<&-", ">&- 2>&- <&-"].iter().enumerate() {
        let system = System::new(&format!("closed-{i}"), "apt-get", DEBIAN_12);
        system.complete_but("nothing");
        system.program("id", "echo 0");
        let x = this().join("x");
        let line = format!("exec sh '{}' bench --yes {closed}", x.display());
        let output = system.shell(&["-c", &line]).output().expect("sh starts");
        assert_eq!(output.status.code(), Some(3), "cargo failed: {}", text(&output));
        assert_eq!(system.asked(), "", "{closed}");
    }
}

#[test]
fn programs_that_fail_make_nothing_too_old() {
    let system = System::new("no-awk", "apt-get", DEBIAN_12);
    system.complete_but("nothing");
    system.program("id", "echo 0");
    for name in ["awk", "sed"] {
        fs::remove_file(system.folder.join("bin").join(name)).expect("it is there");
        system.program(name, "exit 2");
    }
    refused(&system.x(&["bench", "--yes"]), "cannot be listed");
    assert_eq!(system.asked(), "");
}

#[test]
fn the_target_folder_is_absolute_for_all() {
    let system = System::new("target", "apt-get", DEBIAN_12);
    system.complete_but("nothing");
    system.cargo_tells_target();
    let checkout = system.checkout("checkout");
    for target in [Some("relative/made"), Some("=made"), Some(""), None] {
        system.bench(&checkout, target);
    }
    let here = system.folder.canonicalize().expect("it is there");
    let seen = ["relative/made", "=made", "checkout/target", "checkout/target"];
    let seen: String = seen.map(|name| format!("{}\n", here.join(name).display())).concat();
    assert_eq!(system.asked(), seen);
}

#[test]
fn a_target_folder_that_is_none_is_refused() {
    let system = System::new("no-target", "apt-get", DEBIAN_12);
    system.complete_but("nothing");
    let checkout = system.checkout("checkout");
    refused(&system.bench(&checkout, Some("os-release")), "os-release is not a folder");
    refused(&system.bench(&checkout, Some("os-release/in")), "Nothing can be written");
    let help = system.x_with(&["--help"], &[("CARGO_TARGET_DIR", "os-release/in")]);
    assert_eq!(help.status.code(), Some(0));
    assert!(text(&help).contains("./x doctor"), "{}", text(&help));
}

#[test]
fn damaged_versions_are_refused() {
    let system = System::new("versions", "apt-get", DEBIAN_12);
    system.complete_but("nothing");
    system.program("id", "echo 0");
    let checkout = system.checkout("checkout");
    let file = checkout.join("ci/versions.toml");
    let whole = fs::read_to_string(&file).expect("a copy of ours");
    let damaged = [
        String::new(),
        "nothing of ours\n".to_owned(),
        whole.replace("oldest = \"1", "oldest = \"new"),
        whole.replace("[qemu]", ""),
        whole.replace("rustc-web", "$(rustc)"),
        whole[..whole.len() / 2].to_owned(),
    ];
    for text in damaged {
        fs::write(&file, text).expect("a writable folder");
        refused(&system.bench(&checkout, None), "versions.toml is damaged or missing");
    }
    fs::remove_file(&file).expect("it is there");
    refused(&system.bench(&checkout, None), "versions.toml is damaged or missing");
    assert_eq!(system.asked(), "");
}

#[test]
fn a_link_to_x_is_x() {
    let system = System::new("link", "apt-get", DEBIAN_12);
    let checkout = system.checkout("checkout");
    fs::create_dir(system.folder.join("links")).expect("a writable folder");
    symlink(checkout.join("x"), system.folder.join("links/one")).expect("an empty folder");
    symlink("one", system.folder.join("links/two")).expect("an empty folder");
    let output = system.shell(&["links/two", "--help"]).output().expect("sh starts");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("./x doctor"));
}
