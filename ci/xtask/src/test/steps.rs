//! The steps, in the order in which they run: what fails fast comes first, and last what runs side by side, the longest first.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::workspace::Workspace;
use super::{
    baseline, clocks, count, cpus, cures, curves, explained, faults, hosted, kernel, orders,
    pandas, parity, planted, readme, repeats, startup, timelines,
};
use crate::{build, place, toolchain};

/// Something that must hold.
pub struct Step {
    /// A word for the list and the filter.
    pub name: String,
    /// What holds when it passes.
    pub what: String,
    /// Whether it may run beside its neighbours that do, too: it keeps few cores of the host busy, and writes files of its own.
    pub bears_others: bool,
    /// Finds out.
    pub run: Box<dyn Fn() -> Result<Done> + Send + Sync>,
}

impl Step {
    fn beside_others(self) -> Self {
        Self { bears_others: true, ..self }
    }
}

/// What a step found.
#[derive(Default)]
pub struct Done {
    /// Tests that passed; a step without tests of its own counts as one.
    pub passed: usize,
    /// Tests that failed; at least one when the step did.
    pub failed: usize,
    /// All that was printed.
    pub output: String,
    /// A word at the end of the step's line, as why it was skipped.
    pub note: String,
    /// Lines that are shown below the step's, whatever became of it.
    pub found: Vec<String>,
}

impl Done {
    /// One failure, with what is known about it.
    pub fn failure(output: String) -> Self {
        Self { failed: 1, output, ..Self::default() }
    }

    /// Nothing was done, and why.
    pub fn skipped(why: &str) -> Self {
        Self { note: format!("skipped: {why}"), ..Self::default() }
    }

    /// Adds one test.
    pub fn count(&mut self, passed: bool) {
        if passed {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
    }

    /// Adds what another part of the step found.
    pub fn add(&mut self, part: Self) {
        self.passed += part.passed;
        self.failed += part.failed;
        self.output.push_str(&part.output);
        self.found.extend(part.found);
    }
}

/// All steps of this workspace.
pub fn all(workspace: &Workspace) -> Result<Vec<Step>> {
    let mut steps = vec![format(workspace.sources()), clippy_host()];
    let bare: Vec<String> = workspace.bare().map(|package| package.name.clone()).collect();
    steps.push(clippy_bare(bare.clone()));
    steps.push(documents("docs", "rustdoc has no warning, on the host's crates", Vec::new()));
    steps.push(documents("docs-bare", "the same, on the bare machine's", bare));
    steps.push(host());
    steps.push(many_cpus());
    for (feature, word) in
        [("loom", "every interleaving within the bound"), ("shuttle", "random interleavings")]
    {
        for (package, targets) in workspace.models(feature) {
            steps.push(model(feature, &package.name, targets, word));
        }
    }
    steps.extend(peers());
    steps.push(hosted::step_quick());
    steps.extend(kernel::steps());
    steps.extend(cpus::steps());
    steps.push(clocks::clocks());
    steps.push(startup::startup());
    steps.push(faults::faults());
    steps.push(planted::planted());
    steps.push(cures::cures());
    steps.push(orders::orders());
    steps.extend(one_machine_at_a_time().map(Step::beside_others));
    Ok(steps)
}

/// What types commands, of which most keep one core busy; the longest first.
fn one_machine_at_a_time() -> impl Iterator<Item = Step> {
    let others = [
        repeats::repeats(),
        parity::parity(),
        explained::explained(),
        baseline::baseline(),
        timelines::timelines(),
        curves::curves(),
        pandas::pandas(),
    ];
    readme::recipes().into_iter().chain(readme::steps()).chain(others)
}

/// A step.
pub fn step(
    name: impl Into<String>,
    what: impl Into<String>,
    run: impl Fn() -> Result<Done> + Send + Sync + 'static,
) -> Step {
    Step { name: name.into(), what: what.into(), bears_others: false, run: Box::new(run) }
}

fn format(sources: Vec<PathBuf>) -> Step {
    step("fmt", "rustfmt would change nothing", move || {
        let mut fmt = tool("cargo-fmt", "fmt");
        let mut done = verdict(fmt.args(["--all", "--check"]))?;
        // Files that build scripts find are in no `mod` line that cargo-fmt could follow.
        let mut rustfmt = tool("rustfmt", "--check");
        let (fine, output) = run(rustfmt.args(["--edition", "2024"]).args(&sources))?;
        done.count(fine);
        done.output.push_str(&output);
        Ok(done)
    })
}

fn clippy_host() -> Step {
    step("clippy", "clippy has no warning, on the host's crates and their tests", || {
        let mut clippy = tool("cargo-clippy", "clippy");
        verdict(
            clippy
                .args(["--quiet", "--all-targets"])
                .arg("--target-dir")
                .arg(place::out())
                .args(["--", "-D", "warnings"]),
        )
    })
}

fn clippy_bare(packages: Vec<String>) -> Step {
    step("clippy-bare", "the same, on the bare machine's", move || {
        let mut clippy = tool("cargo-clippy", "clippy");
        clippy.args(["--quiet", "--release", "--lib", "--bins", "--examples"]);
        bare(&mut clippy, &packages)?;
        verdict(clippy.args(["--", "-D", "warnings"]))
    })
}

fn documents(name: &str, what: &str, packages: Vec<String>) -> Step {
    step(name, what, move || {
        let mut doc = tool_cargo();
        doc.args(["doc", "--quiet", "--no-deps"]);
        let mut flags = vec!["-Dwarnings".to_owned()];
        if packages.is_empty() {
            doc.arg("--target-dir").arg(place::out());
        } else {
            bare(&mut doc, &packages)?;
            flags.extend(toolchain::sysroot_flags()?);
        }
        verdict(doc.env("CARGO_ENCODED_RUSTDOCFLAGS", flags.join("\u{1f}")))
    })
}

fn host() -> Step {
    step("host", "unit, property, compile-fail and layering tests of the host's crates", || {
        let mut test = tool_cargo();
        counted(
            test.args(["test", "--quiet", "--no-fail-fast"]).arg("--target-dir").arg(place::out()),
        )
    })
}

/// The host's tests have as many CPUs as a kernel; these have as many as the simulator.
fn many_cpus() -> Step {
    step("many-cpus", "the simulator and what it drives hold with room for 1,024 CPUs", || {
        let mut test = tool_cargo();
        counted(
            test.args(["test", "--quiet", "--no-fail-fast", "--features", "sim/cpus-1024"])
                .args(["-p", "percpu", "-p", "ipiq", "-p", "lwkt-sched", "-p", "sim"])
                .arg("--target-dir")
                .arg(place::out()),
        )
    })
}

/// A crate's models; the checker's feature swaps the atomics under them.
fn model(feature: &'static str, package: &str, targets: Vec<String>, what: &str) -> Step {
    let package = package.to_owned();
    step(format!("{feature}-{package}"), format!("{package}'s models hold in {what}"), move || {
        let mut test = tool_cargo();
        test.args(["test", "--quiet", "--profile", "models", "--features", feature])
            .args(["-p", &package])
            .arg("--target-dir")
            .arg(place::out())
            .args(&targets)
            .env(
                "LOOM_MAX_PREEMPTIONS",
                std::env::var("LOOM_MAX_PREEMPTIONS").unwrap_or_else(|_| "2".into()),
            );
        let mut done = counted(&mut test)?;
        if done.passed + done.failed == 0 {
            done.failed = 1;
            done.output
                .push_str(&format!("none of {package}'s models ran: {}\n", targets.join(" ")));
        }
        Ok(done)
    })
}

/// The crates of the hosted comparison: a workspace of their own, because of what they bring.
fn peers() -> Option<Step> {
    let manifest = place::root().join("bench/peers/Cargo.toml");
    manifest.exists().then(|| {
        step("peers", "the hosted comparison's tests, clippy and fmt", move || {
            let mut done = Done::default();
            let mut fmt = tool("cargo-fmt", "fmt");
            let mut clippy = tool("cargo-clippy", "clippy");
            let mut test = tool_cargo();
            let target = place::out().join("peers");
            let commands = [
                fmt.args(["--check", "--manifest-path"]).arg(&manifest),
                clippy
                    .args(["--quiet", "--all-targets", "--manifest-path"])
                    .arg(&manifest)
                    .arg("--target-dir")
                    .arg(&target),
                test.args(["test", "--quiet", "--manifest-path"])
                    .arg(&manifest)
                    .arg("--target-dir")
                    .arg(&target),
            ];
            commands[1].args(["--", "-D", "warnings"]);
            for command in commands {
                let (fine, output) = run(command)?;
                let (passed, failed) = count::libtest(&output);
                done.passed += passed;
                done.failed += failed.max((!fine).into());
                done.output.push_str(&output);
            }
            Ok(done)
        })
    })
}

fn tool_cargo() -> Command {
    let mut cargo = Command::new(toolchain::cargo());
    cargo.current_dir(place::root());
    cargo
}

fn tool(file: &str, verb: &str) -> Command {
    let mut command = Command::new(toolchain::beside_cargo(file));
    command.current_dir(place::root()).arg(verb);
    command
}

/// Makes a cargo command one for the bare machine and these packages.
fn bare(command: &mut Command, packages: &[String]) -> Result<()> {
    command
        .args(["--target", toolchain::TARGET, "--target-dir"])
        .arg(place::out().join("bare"))
        .env("CARGO_ENCODED_RUSTFLAGS", toolchain::rustflags()?)
        .env(build::PROGRAMS, build::programs_image(&[])?);
    for package in packages {
        command.args(["-p", package]);
    }
    Ok(())
}

/// One test: the command's exit status.
fn verdict(command: &mut Command) -> Result<Done> {
    let (fine, output) = run(command)?;
    Ok(Done { passed: fine.into(), failed: (!fine).into(), output, ..Done::default() })
}

/// As many tests as libtest says; a command that fails without saying so is one failure more.
fn counted(command: &mut Command) -> Result<Done> {
    let (fine, output) = run(command)?;
    let (passed, failed) = count::libtest(&output);
    Ok(Done { passed, failed: failed.max((!fine).into()), output, ..Done::default() })
}

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(1200);

/// Runs a command; whether it was content, and all that it printed, in the order in which it was printed.
pub fn run(command: &mut Command) -> Result<(bool, String)> {
    let program = command.get_program().to_string_lossy().into_owned();
    let log = tempfile::NamedTempFile::new().context("a file for what a command prints")?;
    let file = log.reopen()?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    let mut child = command.spawn().with_context(|| format!("{program} does not start"))?;
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if started.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            break None;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let mut text = String::from_utf8_lossy(&std::fs::read(log.path())?).into_owned();
    if status.is_none() {
        text.push_str(&format!(
            "{program} was still running after {} s and was ended\n",
            LIMIT.as_secs()
        ));
    }
    Ok((status.is_some_and(|status| status.success()), text))
}
