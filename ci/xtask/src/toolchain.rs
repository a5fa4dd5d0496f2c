//! The compiler and linker for the bare machine.
//!
//! `x` has chosen the compiler already (`CARGO`, `RUSTC`); this finds out whether it has a libcore for the bare
//! machine, else has `ci/sysroot.sh` make one, and which linker there is.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::place;

/// The machine the kernel is built for.
pub const TARGET: &str = "x86_64-unknown-none";

/// The cargo we run under; the one in PATH when started by hand.
pub fn cargo() -> PathBuf {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()).into()
}

/// The compiler beside it.
pub fn rustc() -> PathBuf {
    std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()).into()
}

/// A tool of the compiler's own folder (`cargo-clippy`, `cargo-fmt`), called directly: `cargo clippy` would
/// prefer cargo-home's proxies, which may belong to another compiler.
pub fn beside_cargo(tool: &str) -> PathBuf {
    match cargo().parent() {
        Some(folder) if folder.join(tool).exists() => folder.join(tool),
        _ => tool.into(),
    }
}

/// What `rustc ARGS` prints, trimmed.
pub fn ask_rustc(args: &[&str]) -> Result<String> {
    ask(Command::new(rustc()).args(args))
}

fn ask(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("{program} does not start"))?;
    if !output.status.success() {
        bail!("{program} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The compiler's flags for everything on the bare machine.
pub fn rustflags() -> Result<String> {
    let mut flags = sysroot_flags()?;
    flags.extend(nowhere()?);
    flags.push("-Crelocation-model=static".to_owned());
    // Stacks are unwound on the host; frame pointers would cost instructions.
    flags.push("-Cforce-unwind-tables".to_owned());
    flags.extend(linker()?.flags());
    if flags.iter().any(|flag| flag.contains('\u{1f}')) {
        bail!("a path holds a control character; move the checkout");
    }
    Ok(flags.join("\u{1f}"))
}

/// The folders of this machine that the names of sources begin with, what they are called in what is built, and with what such a name
/// goes on. Panics hold them: with the length of a folder's name, all that follows would lie elsewhere, and CPUs would meet at other
/// moments.
pub fn folders() -> Result<[(PathBuf, &'static str, &'static str); 4]> {
    let root = place::root();
    // As cargo finds out where it stands.
    let root = root.canonicalize().with_context(|| root.display().to_string())?;
    let home = std::env::var_os("CARGO_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    Ok([
        (root.join(home.unwrap_or_default()), "/cargo", "registry/src"),
        (rustlib()?.join("src/rust"), "/rustc", "library"),
        (root, "", "kernel"),
        (place::out(), "target", "release"),
    ])
}

/// What keeps their names out of panics. Debuggers still find the sources: what is loaded holds no debug information.
fn nowhere() -> Result<impl Iterator<Item = String>> {
    // Of several that fit the compiler takes the last.
    let renamed = folders()?
        .map(|(folder, name, _)| format!("--remap-path-prefix={}={name}", folder.display()))
        .into_iter();
    Ok(std::iter::once("--remap-path-scope=macro".to_owned()).chain(renamed))
}

/// What makes the compiler, or rustdoc, find libcore for the bare machine.
pub fn sysroot_flags() -> Result<Vec<String>> {
    let sysroot = private_sysroot()?;
    Ok(sysroot
        .map(|path| vec!["--sysroot".to_owned(), path.display().to_string()])
        .unwrap_or_default())
}

/// Where the compiler keeps what it brings: a folder for each machine, and the library's sources.
fn rustlib() -> Result<PathBuf> {
    Ok(Path::new(&ask_rustc(&["--print", "sysroot"])?).join("lib/rustlib"))
}

/// Whether the compiler brings a libcore for the bare machine.
pub fn own_libcore() -> Result<bool> {
    let own = ask_rustc(&["--print", "target-libdir", "--target", TARGET])?;
    Ok(has_libcore(Path::new(&own)))
}

/// Where `ci/sysroot.sh` made libcore; none when the compiler has its own.
fn private_sysroot() -> Result<Option<PathBuf>> {
    if own_libcore()? {
        return Ok(None);
    }
    let script = place::root().join("ci/sysroot.sh");
    let made = Command::new("sh")
        .arg(script)
        .arg(place::out().join("sysroot"))
        .env("RUSTC", rustc())
        .env("CARGO", cargo())
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("sh does not start")?;
    if !made.status.success() {
        bail!("could not build core for {TARGET}; see above (the first time needs a network)");
    }
    Ok(Some(String::from_utf8_lossy(&made.stdout).trim().into()))
}

fn has_libcore(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|files| {
        files.flatten().any(|file| {
            let name = file.file_name();
            let name = name.to_string_lossy();
            name.starts_with("libcore-") && name.ends_with(".rlib")
        })
    })
}

/// A linker, and how the compiler must be told to talk to it.
#[derive(Debug)]
pub struct Linker {
    /// The program.
    pub path: PathBuf,
    flavor: Option<&'static str>,
}

impl Linker {
    fn flags(&self) -> Vec<String> {
        let mut flags = vec![format!("-Clinker={}", self.path.display())];
        flags.extend(self.flavor.map(|flavor| format!("-Clinker-flavor={flavor}")));
        flags
    }
}

/// The first of: the compiler's own rust-lld, LLVM's, GNU's. `ci/setup.sh` looks in the same order.
pub fn linker() -> Result<Linker> {
    let own = std::fs::read_dir(rustlib()?).into_iter().flatten().flatten();
    let own = own.map(|host| host.path().join("bin/rust-lld")).find(|path| path.exists());
    if let Some(path) = own {
        return Ok(Linker { path, flavor: None });
    }
    let llvm = ["ld.lld", "ld.lld-22", "ld.lld-21", "ld.lld-20", "ld.lld-19"]
        .iter()
        .find_map(|name| in_path(name));
    let brew =
        ["/opt/homebrew/opt/lld/bin/ld.lld", "/usr/local/opt/lld/bin/ld.lld"].map(PathBuf::from);
    if let Some(path) = llvm.or_else(|| brew.into_iter().find(|path| path.exists())) {
        return Ok(Linker { path, flavor: None });
    }
    match in_path("ld") {
        Some(path) if cfg!(not(target_os = "macos")) => Ok(Linker { path, flavor: Some("ld") }),
        _ => bail!("there is no linker for the bare machine; ./x doctor says what to install"),
    }
}

/// A program in PATH.
pub fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}
