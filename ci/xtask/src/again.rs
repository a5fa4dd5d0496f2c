//! The one line that does a run again: what a failure prints, to be typed as it stands.

use runner::command::quote;

use crate::cli::{Choice, Machine};
use crate::settings::Variant;

/// The verb that traces, and the key of kernels that are traced.
pub const TRACE: &str = "trace";

/// The line for a verb's run with this seed.
pub fn line(verb: &str, choice: &Choice, machine: &Machine, quick: bool, seed: u64) -> String {
    let mut words = vec!["./x".to_owned(), verb.to_owned()];
    words.extend(choice.filter.iter().map(|filter| quote(filter.as_ref())));
    let mut option = |word: &str, value: Option<&std::ffi::OsStr>| {
        words.push(word.to_owned());
        words.extend(value.map(quote));
    };
    if machine.smp != 4 {
        option("--smp", Some(machine.smp.to_string().as_ref()));
    }
    if machine.mode != runner::Mode::default() {
        option("--mode", Some(machine.mode.name().as_ref()));
    }
    if machine.xapic {
        option("--xapic", None);
    }
    if machine.qemu.as_os_str() != "qemu-system-x86_64" {
        option("--qemu", Some(machine.qemu.as_ref()));
    }
    if let Some(image) = &machine.image {
        option("--image", Some(image.as_ref()));
    }
    let asked =
        [("--plant", &machine.plant), ("--faults", &machine.faults), ("--idle", &machine.idle)];
    for (word, value) in asked {
        value.iter().for_each(|value| option(word, Some(value.as_ref())));
    }
    // The verb that traces has the kernel built for it.
    let traces = |variant: &Variant| verb == TRACE && variant.key.name == TRACE;
    for variant in machine.variants().into_iter().filter(|variant| !traces(variant)) {
        option("--set", Some(variant.to_string().as_ref()));
    }
    if quick {
        option("--quick", None);
    }
    option("--seed", Some(seed.to_string().as_ref()));
    if !machine.extra.is_empty() {
        option("--", None);
        words.extend(machine.extra.iter().map(|word| quote(word)));
    }
    words.join(" ")
}

#[cfg(test)]
mod tests;
