//! Builds the kernel: ring-3 programs first, packed into one image, then the kernel that embeds it.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::settings::Variant;
use crate::{archive, place, toolchain};

/// What runs in ring 3: the layer, the programs, the benchmarks that measure from there.
pub const RING_3: [&str; 3] = ["layer", "programs", "bench-user"];

/// The variable by which the kernel's build finds the program image.
pub const PROGRAMS: &str = "DAMSELFLY_PROGRAMS";

/// Builds the kernel with the given cargo features of package `image`, and with these variants; says where it lies.
pub fn kernel(features: &[&str], variants: &[Variant]) -> Result<PathBuf> {
    let started = Instant::now();
    let flags = variants.iter().filter_map(Variant::flag);
    let flags = std::iter::once(toolchain::rustflags()?).chain(flags.map(str::to_owned));
    let flags = flags.collect::<Vec<_>>().join("\u{1f}");
    let packed = programs_image(variants)?;
    let built = cargo_build(
        ("the kernel", &flags),
        &["--package=image"],
        features,
        variants,
        Some(&packed),
    )?;
    let Some(path) = built.named("damselfly") else {
        bail!("package image made no binary named damselfly");
    };
    let choices = features.iter().map(|feature| (*feature).to_owned());
    let choices = choices.chain(variants.iter().map(ToString::to_string));
    let name = std::iter::once("damselfly".to_owned()).chain(choices).collect::<Vec<_>>().join("+");
    let image = place::made().join(name);
    replace(path, &image)?;
    say_how_long(&image, started);
    Ok(image)
}

/// How long a build goes on before something is said of it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Does what may take long, and says so if it does.
pub fn patiently<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let (over, waits) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            if waits.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                crate::complain!("building {what} ...");
            }
        });
        let done = work();
        drop(over);
        done
    })
}

/// Says what was built since then, if that took long enough to be asked about.
pub fn say_how_long(what: &Path, started: Instant) {
    let seconds = started.elapsed().as_secs_f64();
    if seconds > 2.0 {
        crate::complain!("built {} in {seconds:.0} s", place::shown(what));
    }
}

/// Builds the ring-3 programs, with those of the variants that reach there, and packs them; says where the image lies.
pub fn programs_image(variants: &[Variant]) -> Result<PathBuf> {
    let variants: Vec<_> = variants.iter().copied().filter(Variant::reaches_ring_3).collect();
    let words = variants.iter().map(|variant| format!("+{variant}")).collect::<String>();
    let programs = place::made().join(format!("programs{words}"));
    std::fs::create_dir_all(&programs)
        .with_context(|| format!("cannot make {}", programs.display()))?;
    let mut files = Vec::new();
    let packages = RING_3.map(|name| format!("--package={name}"));
    let flags = toolchain::rustflags()?;
    let built = cargo_build(("the programs of ring 3", &flags), &packages, &[], &variants, None)?;
    for (name, path) in &built.binaries {
        let elf = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let loadable = archive::loadable(&elf).with_context(|| path.display().to_string())?;
        files.push((name.clone(), loadable));
        replace(path, &programs.join(name))?;
    }
    files.sort();
    let packed = place::made().join(format!("programs{words}.img"));
    write_if_changed(&packed, &archive::pack(&files)?)?;
    Ok(packed)
}

/// Builds the smallest kernel that can be, which tests the machine and no more; says where it lies.
pub fn machine() -> Result<PathBuf> {
    let what = ["--package=arch", "--example=machine"];
    let built =
        cargo_build(("the smallest kernel", &toolchain::rustflags()?), &what, &[], &[], None)?;
    let path = built.named("machine").context("package arch made no example named machine")?;
    let image = place::made().join("machine");
    replace(path, &image)?;
    Ok(image)
}

/// What cargo built.
struct Built {
    binaries: Vec<(String, PathBuf)>,
    /// Locked as long as the binaries lie where they are named: whoever builds with other features puts his own in their place.
    _alone: File,
}

impl Built {
    fn named(&self, name: &str) -> Option<&PathBuf> {
        self.binaries.iter().find(|(own, _)| own == name).map(|(_, path)| path)
    }
}

/// Builds for the bare machine what cargo's words name.
fn cargo_build(
    (name, flags): (&str, &str),
    what: &[impl AsRef<str>],
    features: &[&str],
    variants: &[Variant],
    programs: Option<&Path>,
) -> Result<Built> {
    let (mut cargo, folder) = (Command::new(toolchain::cargo()), target_folder(variants));
    cargo
        .current_dir(place::root())
        .args(["build", "--release", "--quiet", "--message-format=json-render-diagnostics"])
        .args(["--target", toolchain::TARGET])
        .arg("--target-dir")
        .arg(&folder)
        .args(what.iter().map(AsRef::as_ref))
        .env("CARGO_ENCODED_RUSTFLAGS", flags)
        .envs(variants.iter().map(|variant| (variant.key.variable, variant.name)))
        .stderr(Stdio::inherit());
    if !features.is_empty() {
        cargo.arg("--features").arg(features.join(","));
    }
    if let Some(programs) = programs {
        cargo.env(PROGRAMS, programs);
    }
    let name = std::iter::once(name.to_owned()).chain(variants.iter().map(ToString::to_string));
    let name = name.collect::<Vec<_>>().join(" ");
    let (alone, output) = patiently(&name, || {
        begin_with_what_is_built(&folder);
        let alone = alone_in(&folder)?;
        anyhow::Ok((alone, cargo.output().context("cargo does not start")?))
    })?;
    if !output.status.success() {
        bail!("building {name} failed; the compiler says above where");
    }
    let binaries = String::from_utf8_lossy(&output.stdout).lines().filter_map(executable).collect();
    Ok(Built { binaries, _alone: alone })
}

/// A folder of variants that is not there yet begins as a copy of the usual one's, so that cargo builds only what the variants make a
/// difference to. Whatever goes wrong with that costs time, and nothing else.
fn begin_with_what_is_built(folder: &Path) {
    let usual = target_folder(&[]);
    if folder.exists() || !usual.exists() {
        return;
    }
    let copy = folder.with_added_extension("copy");
    if copied(&usual, &copy).is_err() || std::fs::rename(&copy, folder).is_err() {
        let _ = std::fs::remove_dir_all(&copy);
    }
}

/// Copies what cargo has built in a folder for release, while no cargo builds there.
fn copied(usual: &Path, copy: &Path) -> Result<()> {
    let _still = alone_in(usual)?;
    if copy.exists() {
        // Left by one that was ended.
        std::fs::remove_dir_all(copy)?;
    }
    for part in [Path::new("release"), &Path::new(toolchain::TARGET).join("release")] {
        let (from, to) = (usual.join(part), copy.join(part));
        let _still = locked(&from.join(".cargo-lock"))?;
        std::fs::create_dir_all(to.parent().unwrap_or(copy))?;
        // With their times, by which cargo knows what is older than its sources.
        let copied = Command::new("cp").arg("-a").args([&from, &to]).stderr(Stdio::null()).status();
        if !copied?.success() {
            bail!("{} cannot be copied", from.display());
        }
    }
    Ok(())
}

/// Waits until nobody else of ours builds in this folder, and keeps others from it.
fn alone_in(folder: &Path) -> Result<File> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    locked(&folder.join("x.lock"))
}

/// A file that nobody else has locked as long as it is open. Where files cannot be locked, cargo does without, too.
fn locked(path: &Path) -> Result<File> {
    let file = File::create(path).with_context(|| path.display().to_string())?;
    match file.lock() {
        Err(error) if error.kind() != ErrorKind::Unsupported => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
        _ => Ok(file),
    }
}

/// Where cargo builds: each set of variants has a folder of its own, so that who goes from one to the other builds nothing anew.
fn target_folder(variants: &[Variant]) -> PathBuf {
    let names: Vec<_> = variants.iter().map(|variant| format!("+{variant}")).collect();
    place::out().join(format!("bare{}", names.concat()))
}

/// The binary that a line of cargo's report names.
fn executable(line: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(line).ok()?;
    let path = message.get("executable")?.as_str()?;
    let name = message.get("target")?.get("name")?.as_str()?;
    Some((name.to_owned(), path.into()))
}

/// Puts a file in another's place, without copying where the file system can.
fn replace(from: &Path, to: &Path) -> Result<()> {
    let fresh = to.with_extension("new");
    let _ = std::fs::remove_file(&fresh);
    if std::fs::hard_link(from, &fresh).is_err() {
        std::fs::copy(from, &fresh).with_context(|| format!("cannot write {}", fresh.display()))?;
    }
    std::fs::rename(&fresh, to).with_context(|| format!("cannot write {}", to.display()))?;
    // Two links of one file stay two.
    let _ = std::fs::remove_file(&fresh);
    Ok(())
}

/// Leaves the file alone when it is the same, so that cargo sees no change.
fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<()> {
    if std::fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
