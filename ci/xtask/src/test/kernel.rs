//! The steps that boot the kernel: its own tests on several machines, benchmarks and stress tests as tests.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use faults::Fault;
use runner::{Apic, Request, probe};

use super::heard::{Heard, hear};
use super::side_by_side;
use super::steps::{Done, Step, step};
use crate::settings::Axis;
use crate::{archive, build, names, place, settings, toolchain};

/// On how many CPUs the kernel's tests run.
const CPUS: [u32; 4] = [1, 2, 4, 16];
/// Seeds of the stress tests.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=10;

/// The steps.
pub fn steps() -> Vec<Step> {
    vec![
        step("machine", "the smallest kernel's checks of traps, ring 3 and interrupts", || {
            let image = build::machine()?;
            let mut done = Done::default();
            for cpus in ["1", "4"] {
                let mut command = this_program()?;
                command.args(["boot", "--smp", cpus, "--image"]).arg(&image);
                let (fine, output) = super::steps::run(&mut command)?;
                done.count(fine);
                done.output.push_str(&output);
            }
            Ok(done)
        }),
        step(
            "kernel",
            "the kernel's tests on 1, 2, 4 and 16 CPUs, in each APIC mode, on the QEMU of PATH",
            || machines(of_path),
        ),
        step("kernel-newest", "the same on the newest QEMU (ci/newest-qemu.sh)", || {
            machines(newest)
        }),
        step("names", "what the kernel can run is found by its name in the source", named),
        step("anywhere", "what the kernel loads has no name of a folder of this machine", anywhere),
        step("bench", "every benchmark runs, quickly", || boot(&["run=bench", "quick"], &[1])),
        step(
            "variants",
            "all of the kernel's runs, quickly, with each policy but the usual ones",
            variants,
        ),
        step("stress", "every stress test, under ten seeds", || {
            boot(&["run=stress"], &SEEDS.collect::<Vec<_>>())
        }),
        step(
            "stress-faults",
            "every stress test bears faults of each sort, under ten seeds, on 1 to 16 CPUs",
            under_faults,
        ),
    ]
}

/// Each benchmark and stress test that the kernel lists: what `./x` would refuse nobody could run.
fn named() -> Result<Done> {
    let (mut done, known) = (Done::default(), names::all());
    let mut request = Request::new(build::kernel(&[], &[])?);
    request.words = ["run=bench,stress", "list"].map(str::to_owned).into();
    let heard = hear(&request, "list")?;
    done.output.push_str(&heard.told);
    done.count(heard.collected.offers.len() > 100);
    for offer in &heard.collected.offers {
        done.count(known.contains(&offer.name));
        done.output.push_str(&format!("{}\n", offer.name));
    }
    Ok(done)
}

/// Built in another folder, the kernel would have the same bytes, and the same figures.
fn anywhere() -> Result<Done> {
    let kernel = build::kernel(&[], &[])?;
    let loaded = archive::loadable(&std::fs::read(&kernel)?)?;
    let names = |what: &str| loaded.windows(what.len()).any(|bytes| bytes == what.as_bytes());
    let mut done = Done::default();
    // Its sources are named all the same.
    done.count(names("kernel/stress/src/stress/storm.rs"));
    for (folder, _, below) in toolchain::folders()? {
        // A folder's own name may be part of another's, as `/src` is.
        let source = format!("{}/{below}/", folder.display());
        let named = names(&source);
        done.count(!named);
        if named {
            done.output.push_str(&format!("{} names {source}\n", place::shown(&kernel)));
        }
    }
    Ok(done)
}

/// A kernel that is built for faults, under each seed, quickly: every test passes, each sort of fault has struck, and the first seed
/// strikes alike a second time.
fn under_faults() -> Result<Done> {
    let kernel = build::kernel(&[], &[Axis::known("faults=on")?.first()])?;
    let mut boots: Vec<_> = SEEDS.zip([4, 1, 2, 16].into_iter().cycle()).collect();
    boots.push(boots[0]);
    let all = side_by_side::map(&boots, |(seed, cpus)| {
        let mut request = Request::new(&kernel);
        (request.seed, request.cpus) = (*seed, *cpus);
        request.words = ["run=stress", "quick"].map(str::to_owned).into();
        hear(&request, &format!("faults=on seed={seed}, {cpus} CPUs"))
    });
    let all = all.into_iter().collect::<Result<Vec<_>>>()?;
    let mut done = Done::default();
    all.iter().for_each(|heard| heard.count(&mut done));
    for (name, fault) in Fault::ALL {
        let counts =
            all.iter().flat_map(|heard| &heard.collected.stress).flat_map(|test| &test.counts);
        let of_sort = counts.filter(|(counter, _)| counter == fault.counter());
        let struck: u64 = of_sort.map(|(_, count)| count).sum();
        done.count(struck > 0);
        done.found.push(format!("{name:<9} struck {struck} times"));
    }
    let (first, again) = (&all[0].collected.stress, &all[all.len() - 1].collected.stress);
    for (test, again) in first.iter().zip(again) {
        done.count(test == again);
        if test != again {
            done.output.push_str(&format!("not alike a second time: {test:?} {again:?}\n"));
        }
    }
    Ok(done)
}

/// A kernel of each variant, which says itself that it is one.
fn variants() -> Result<Done> {
    let mut boots = Vec::new();
    let unusual: Vec<_> = settings::unusual().collect();
    // Optimised as a whole, a kernel keeps one core busy.
    let kernels = side_by_side::map(&unusual, |variant| build::kernel(&[], &[*variant]));
    for (variant, kernel) in unusual.into_iter().zip(kernels) {
        let kernel = kernel?;
        boots
            .extend(["run=bench,test", "run=stress"].map(|parts| (variant, kernel.clone(), parts)));
    }
    let all = side_by_side::map(&boots, |(variant, kernel, parts)| {
        let mut request = Request::new(kernel);
        request.words = vec![(*parts).to_owned(), "quick".to_owned()];
        hear(&request, &format!("{variant} {parts}"))
    });
    let mut done = Done::default();
    for ((variant, ..), heard) in boots.iter().zip(all) {
        let heard = heard?;
        heard.count(&mut done);
        let said = &heard.collected.key.settings;
        done.count(*said == format!("{variant} quick"));
        done.output.push_str(&format!("{variant}: a kernel that says it is '{said}'\n"));
    }
    Ok(done)
}

/// Every machine of one QEMU, if there is such a QEMU.
fn machines(qemu: impl Fn() -> Result<Option<PathBuf>>) -> Result<Done> {
    let Some(qemu) = qemu()? else {
        return Ok(Done::skipped("this system has no newer QEMU to unpack"));
    };
    let probe = match probe::ask(&qemu)? {
        Ok(probe) => probe,
        Err(unasked) => bail!("{} does not answer: {}", qemu.display(), unasked.stderr.join("; ")),
    };
    let apics: &[Apic] = if probe.x2apic { &[Apic::Best, Apic::Xapic] } else { &[Apic::Best] };
    let kernel = build::kernel(&[], &[])?;
    let all: Vec<_> = apics.iter().flat_map(|apic| CPUS.map(|cpus| (*apic, cpus))).collect();
    let done = all_of(&all, |(apic, cpus)| {
        let mut request = Request::new(&kernel);
        request.qemu.clone_from(&qemu);
        request.apic = *apic;
        request.cpus = *cpus;
        request.words = vec!["run=test".to_owned()];
        hear(&request, &format!("{apic:?}, {cpus} CPUs"))
    })?;
    Ok(Done { note: format!("QEMU {}", probe.version), ..done })
}

/// The QEMU of PATH.
pub fn of_path() -> Result<Option<PathBuf>> {
    Ok(Some(PathBuf::from("qemu-system-x86_64")))
}

/// The newest QEMU, unpacked where that can be done.
pub fn newest() -> Result<Option<PathBuf>> {
    const NOT_HERE: i32 = 4;
    let output = Command::new("sh")
        .arg(place::root().join("ci/newest-qemu.sh"))
        .arg(place::out().join("newest-qemu"))
        .output()
        .context("sh does not start")?;
    match output.status.code() {
        Some(0) => Ok(Some(String::from_utf8_lossy(&output.stdout).trim().into())),
        Some(NOT_HERE) => Ok(None),
        _ => bail!("ci/newest-qemu.sh: {}", String::from_utf8_lossy(&output.stderr).trim()),
    }
}

/// The kernel with these words, under each seed.
fn boot(words: &[&str], seeds: &[u64]) -> Result<Done> {
    let kernel = build::kernel(&[], &[])?;
    all_of(seeds, |seed| {
        let mut request = Request::new(&kernel);
        request.seed = *seed;
        request.words = words.iter().map(|word| (*word).to_owned()).collect();
        hear(&request, &format!("{} seed={seed}", words.join(" ")))
    })
}

/// Boots side by side; each part of a boot is a test, and so is its end.
fn all_of<T: Sync>(all: &[T], boot: impl Fn(&T) -> Result<Heard> + Sync) -> Result<Done> {
    let mut done = Done::default();
    for heard in side_by_side::map(all, boot) {
        heard?.count(&mut done);
    }
    Ok(done)
}

/// `./x` again, for a whole verb of it.
fn this_program() -> Result<Command> {
    let mut command = Command::new(crate::place::myself());
    command.current_dir(place::root());
    Ok(command)
}
